import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { z } from 'zod'
import { layerHead, layerTail } from '../../src/pack/tar-frame.ts'
import { bytesOf } from './registry-client.ts'
import { get } from './rest.ts'
import type { Service } from './service.ts'

/** Scrubs one behind the other. */
export const always = { SLIPWAY_SCRUB_SCHEDULE: '100ms' }

const manifestSchema = z.object({ layers: z.tuple([z.object({ digest: z.string() })]) })

/** The digest of an image's layer. */
export async function layerOf({ base }: Service, name: string): Promise<string> {
  const answer = await get(`${base}/v2/cvi/${name}/manifests/latest`)
  return manifestSchema.parse(await answer.json()).layers[0].digest
}

/** The layer of a raw disk. */
export function framed(disk: Buffer): Buffer<ArrayBuffer> {
  return Buffer.concat([layerHead('raw', disk.length), disk, layerTail(disk.length)])
}

/** Where a blob lies. */
export function placeOf({ folder }: Service, digest: string): string {
  const hex = digest.slice('sha256:'.length)
  return join(folder, 'blobs/sha256', hex.slice(0, 2), hex)
}

/** Flips one bit of a blob where it lies. */
export async function flip(service: Service, digest: string, at = 700_000): Promise<void> {
  await using file = await open(placeOf(service, digest), 'r+')
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at)
  buffer[0] = (buffer[0] ?? 0) ^ 1
  await file.write(buffer, 0, 1, at)
}

/** Holds what is handed out of an image against its disk, bit for bit. */
export async function expectWhole(service: Service, name: string, disk: Buffer): Promise<void> {
  const read = await get(service.rest.url(`/${name}/disk`))
  expect((await bytesOf(read)).equals(disk)).toBe(true)
  const layer = await layerOf(service, name)
  const pulled = await get(`${service.base}/v2/cvi/${name}/blobs/${layer}`)
  expect((await bytesOf(pulled)).equals(framed(disk))).toBe(true)
}
