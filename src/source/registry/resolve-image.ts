import { buffer } from 'node:stream/consumers'
import { Flaw } from '../../errors.ts'
import { algorithmOf, digestOf, type Digest } from '../../image/digest.ts'
import { choosePlatform } from './choose-platform.ts'
import { readDocument, type ImageDocument } from './documents.ts'
import { readConfig, type ImageConfig } from './image-config.ts'
import { isSamePlatform, shownPlatform, type Platform } from './platform.ts'
import { inTime } from './small-body.ts'
import type { BlobPart, FetchedManifest, Part, Registry } from './registry.ts'

/** What a reference leads to: one manifest, for one platform. */
export type ResolvedImage = {
  /** Of what the reference names, be it an index. */
  readonly digest: Digest
  readonly manifest: FetchedManifest
  readonly document: ImageDocument
}

/** Indexes in indexes: what builders make has two. */
const deepest = 4

/** The largest configuration that is read; those of images with thousands of steps have some 100 KiB. */
const mostConfigBytes = 4 * 1024 * 1024
/** Milliseconds that it may take in all. */
const configWithin = 120_000

/**
 * Follows a tag or digest through indexes to the manifest for a platform.
 * @throws Flaw INVALID_OCI; what the registry fails with
 */
export async function resolveImage(
  registry: Registry,
  tagOrDigest: string,
  wanted: Platform,
  signal: AbortSignal,
): Promise<ResolvedImage> {
  let manifest = await registry.manifest(tagOrDigest, signal)
  const { digest } = manifest
  for (let depth = 0; depth <= deepest; depth += 1) {
    const document = readDocument(manifest)
    if (document.kind === 'image') return { digest, manifest, document }
    const part = choosePlatform(document, wanted)
    manifest = await registry.manifest(part.digest, signal)
    assertSize(part, manifest)
  }
  throw new Flaw(
    'INVALID_OCI',
    `the image is an index that leads through more than ${deepest} others; name one of its manifests by digest`,
  )
}

function assertSize(part: Part, { bytes }: FetchedManifest): void {
  if (bytes.length === part.size) return
  throw new Flaw(
    'INVALID_OCI',
    `the manifest ${part.digest} has ${bytes.length} bytes, the index that names it says ${part.size}; push the image again`,
  )
}

/**
 * The configuration of an image, verified.
 * @param asked the platform that the caller insists on; null when any will do
 * @throws Flaw INVALID_OCI; what the registry fails with
 */
export async function fetchConfig(
  registry: Registry,
  { config }: ImageDocument,
  asked: Platform | null,
  signal: AbortSignal,
): Promise<ImageConfig> {
  const read = readConfig(await small(registry, config, signal))
  if (asked && read.platform && !isSamePlatform(read.platform, asked)) {
    throw new Flaw(
      'INVALID_OCI',
      `the image has ${shownPlatform(read.platform)}, not ${shownPlatform(asked)}`,
    )
  }
  return read
}

async function small(registry: Registry, part: BlobPart, signal: AbortSignal): Promise<Buffer> {
  if (part.size > mostConfigBytes) {
    throw invalid(part, `claims ${part.size} bytes, and ${mostConfigBytes} are read at most`)
  }
  const read = async (signal: AbortSignal) => await buffer(await registry.blob(part, 0, signal))
  const bytes = await inTime(configWithin, `the configuration ${part.digest}`, read, signal)
  const found = digestOf(bytes, algorithmOf(part.digest))
  if (found === part.digest) return bytes
  throw invalid(part, `has the digest ${found}`)
}

function invalid({ digest }: BlobPart, problem: string): Flaw {
  return new Flaw(
    'INVALID_OCI',
    `the configuration ${digest} of the image ${problem}; push the image again`,
  )
}
