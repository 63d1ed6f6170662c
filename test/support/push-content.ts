import { createCipheriv } from 'node:crypto'
import { mebibyte } from './disks.ts'
import type { Random } from './random.ts'
import type { Bytes } from './registry-client.ts'

const noise = noiseOf(4 * mebibyte)

/** Bytes that look random, with runs of zeros, which a store may leave out of its files. */
export function contentOf(random: Random, size: number): Bytes {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size;) {
    const length = 1 + random.below(768 * 1024)
    const from = random.below(noise.length - length)
    if (random.below(4) > 0) noise.copy(bytes, at, from, from + length)
    at += length
  }
  return bytes
}

function noiseOf(size: number): Buffer {
  const key = Buffer.alloc(16, 'slipway')
  return createCipheriv('aes-128-ctr', key, key).update(Buffer.alloc(size))
}

/** A manifest that needs blobs, as its bytes. */
export function imageManifest(
  config: Part,
  layers: readonly Part[],
  more: { readonly [field: string]: unknown } = {},
): { readonly bytes: Bytes; readonly mediaType: string } {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const document = {
    schemaVersion: 2,
    mediaType,
    config: { ...config, mediaType: 'application/vnd.oci.image.config.v1+json' },
    layers: layers.map((layer) => ({
      ...layer,
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
    })),
    ...more,
  }
  return { bytes: Buffer.from(JSON.stringify(document)), mediaType }
}

export type Part = { readonly digest: string; readonly size: number }

export function indexManifest(manifests: readonly Part[], more = {}) {
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  const child = 'application/vnd.oci.image.manifest.v1+json'
  const document = {
    schemaVersion: 2,
    mediaType,
    manifests: manifests.map((manifest) => ({ ...manifest, mediaType: child })),
    ...more,
  }
  const bytes: Bytes = Buffer.from(JSON.stringify(document))
  return { bytes, mediaType }
}
