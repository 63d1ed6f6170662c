import { expect } from 'vitest'
import { digestOf } from '../../../../src/image/digest.ts'
import { manifestTypes, mediaTypes } from '../../../../src/image/media-type.ts'
import type { FetchedManifest } from '../../../../src/source/registry/registry.ts'

export const [image, dockerImage] = manifestTypes.image
export const [index, dockerIndex] = manifestTypes.index

/** A descriptor of some text. */
export function part(text: string, mediaType: string, more: object = {}) {
  return { mediaType, digest: digestOf(Buffer.from(text)), size: text.length, ...more }
}

export const config = part('{}', mediaTypes.config)
export const layer = part('layer', mediaTypes.layer)

export function fetched(document: unknown, mediaType: string = image): FetchedManifest {
  return fetchedBytes(Buffer.from(JSON.stringify(document) ?? ''), mediaType)
}

export function fetchedBytes(bytes: Buffer, mediaType: string = image): FetchedManifest {
  return { digest: digestOf(bytes), mediaType, bytes }
}

/** @returns what was thrown by `act`, which has to be a Flaw INVALID_OCI; null when nothing was */
export function flawOf(act: () => unknown): string | null {
  try {
    act()
    return null
  } catch (error) {
    expect(error).toMatchObject({ name: 'Flaw', code: 'INVALID_OCI' })
    return error instanceof Error ? error.message : ''
  }
}
