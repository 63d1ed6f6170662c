import { addAbortSignal, pipeline, type Readable } from 'node:stream'
import { algorithmOf, type Digest } from '../../image/digest.ts'
import { unwrap, type Unwrapped } from '../../unwrap/unwrap.ts'
import type { Part } from '../registry/registry.ts'
import { without, type Tally } from '../tally.ts'
import type { DiskFolder } from './disk-folder.ts'
import { lie, ofLayer } from './flaws.ts'
import { LayerTar } from './layer-tar.ts'
import { keep, verified, Verifier } from './verified.ts'

export type Layer = {
  readonly part: Part
  /** Digest of the uncompressed tar, from the config; null when that tells none. */
  readonly diffId: Digest | null
  /** The part of the blob that does not come over the network. */
  readonly held?: { readonly start: number; readonly end: number } | null
  /** The blob as it is stored. Broken connections are healed by it; what the bytes are is verified here. */
  readonly open: (signal: AbortSignal) => Promise<Readable>
}

export type Unpacking = {
  readonly tally: Tally
  /** Bytes that a compressed layer may unpack to. */
  readonly maxOutput: number
}

export type OpenedLayer = {
  readonly tar: LayerTar
  /** Whether the tar's bytes are those of the blob. */
  readonly isPlain: boolean
}

/**
 * A layer as a stream of the disk in it, which destroys everything before it when it is destroyed.
 * @throws Flaw INVALID_OCI, UNSUPPORTED_FORMAT, DECOMPRESSION_LIMIT, CORRUPT_ARCHIVE; what opening the blob fails with
 */
export async function openLayer(
  layer: Layer,
  folder: DiskFolder,
  { tally, maxOutput }: Unpacking,
  signal: AbortSignal,
): Promise<OpenedLayer> {
  const { part, held = null } = layer
  try {
    const stored = verified(await layer.open(signal), part, without(held, tally))
    const unwrapped = await unwrap(stored, { maxOutput }, signal)
    const isPlain = unwrapped.wrapping.length === 0
    return { tar: readTar(unwrapped, layer, folder, signal), isPlain }
  } catch (error) {
    throw ofLayer(error, part)
  }
}

/** From here on the first failure destroys all of them. */
function readTar(
  { body, wrapping }: Unwrapped,
  layer: Layer,
  folder: DiskFolder,
  signal: AbortSignal,
): LayerTar {
  try {
    const verifier = unpackedVerifier(layer, wrapping)
    const tar = addAbortSignal(signal, new LayerTar(layer.part, folder))
    if (verifier) pipeline(body, verifier.on('error', keep), tar, keep)
    else pipeline(body, tar, keep)
    return tar
  } catch (error) {
    body.destroy()
    throw error
  }
}

/**
 * What sees to the diff id. Of a layer that is stored as it is one hash serves for both.
 * @throws Flaw INVALID_OCI
 */
function unpackedVerifier({ part, diffId }: Layer, wrapping: Unwrapped['wrapping']) {
  if (wrapping.length > 1) throw lie(part, `is compressed twice (${wrapping.join(' around ')})`)
  if (diffId === null) return null
  const isHashed = wrapping.length === 0 && algorithmOf(diffId) === algorithmOf(part.digest)
  if (isHashed && diffId === part.digest) return null
  if (isHashed) throw lie(part, `is not compressed, so it cannot have the diff id ${diffId}`)
  return new Verifier({
    digest: diffId,
    size: null,
    onBytes: keep,
    refuse: (what) => lie(part, `unpacks to something else: it ${what}`),
  })
}
