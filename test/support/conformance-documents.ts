import { randomInt } from 'node:crypto'
import { digestOf, type Digest, type DigestAlgorithm } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import { noise } from '../fixtures/noise.ts'
import type { Registry } from './conformance-registry.ts'

export type Described = {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}
type Extra = { readonly [field: string]: unknown }

/** What describes these bytes (image-spec, descriptor.md). */
export function described(
  bytes: Uint8Array,
  mediaType: string = mediaTypes.layer,
  algorithm: DigestAlgorithm = 'sha256',
): Described {
  return { mediaType, digest: digestOf(bytes, algorithm), size: bytes.length }
}

export function document(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

let seeds = randomInt(2 ** 31)

/** Bytes that no other test has. */
export function fresh(size: number): Buffer {
  seeds += 1
  return noise(size, seeds)
}

export type Image = {
  readonly bytes: Buffer
  readonly digest: Digest
  readonly described: Described
  readonly config: Described
  readonly layers: readonly Described[]
}

/** Pushes a configuration and a layer, and builds a manifest over them that is yet to be put. */
export async function prepareImage(
  registry: Registry,
  repository: string,
  extra: Extra = {},
  algorithm: DigestAlgorithm = 'sha256',
): Promise<Image> {
  const layer = fresh(100)
  const settings = document({ architecture: 'amd64', os: 'linux', made: seeds })
  await registry.push(repository, layer, algorithm)
  await registry.push(repository, settings, algorithm)
  const config = described(settings, mediaTypes.config, algorithm)
  const layers = [described(layer, mediaTypes.layer, algorithm)]
  const bytes = imageOf(config, layers, extra)
  const digest = digestOf(bytes, algorithm)
  return {
    bytes,
    digest,
    described: described(bytes, mediaTypes.manifest, algorithm),
    config,
    layers,
  }
}

/** As `prepareImage`, and puts it, by its digest or under a tag. */
export async function pushImage(
  registry: Registry,
  repository: string,
  { tag, ...extra }: Extra & { readonly tag?: string } = {},
): Promise<Image> {
  const image = await prepareImage(registry, repository, extra)
  await registry.putWhole(repository, image.bytes, tag === undefined ? {} : { tag })
  return image
}

export function imageOf(config: unknown, layers: readonly unknown[], extra: Extra = {}): Buffer {
  return document({ schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers, ...extra })
}

export function indexOf(manifests: readonly unknown[], extra: Extra = {}): Buffer {
  return document({ schemaVersion: 2, mediaType: mediaTypes.index, manifests, ...extra })
}
