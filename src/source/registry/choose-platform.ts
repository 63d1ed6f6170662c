import { Flaw } from '../../errors.ts'
import { isImageType, isIndexType } from '../../image/media-type.ts'
import type { IndexDocument, IndexEntry } from './documents.ts'
import { listed } from './listed.ts'
import { shownPlatform, isSamePlatform, variantsFor, type Platform } from './platform.ts'
import type { Part } from './registry.ts'

/**
 * The entry of an index for a platform. What it names may be an index again: one of that platform, or one that says no
 * platform and is alone in this. Of several the first; the exact variant before older ones that run there, too.
 * @throws Flaw INVALID_OCI
 */
export function choosePlatform(index: IndexDocument, wanted: Platform): Part {
  const entries = index.manifests.filter(isImage)
  const chosen = ofPlatform(entries, wanted) ?? ofNone(entries)
  if (chosen) return chosen
  throw new Flaw('INVALID_OCI', absent(entries, wanted))
}

/** Build caches keep blobs in an index, and builders put statements about each image beside it. */
function isImage({ mediaType, annotations, platform }: IndexEntry): boolean {
  if (!isImageType(mediaType) && !isIndexType(mediaType)) return false
  if (annotations['vnd.docker.reference.type'] === 'attestation-manifest') return false
  return platform?.os !== 'unknown' || platform.architecture !== 'unknown'
}

function ofPlatform(entries: readonly IndexEntry[], wanted: Platform): IndexEntry | undefined {
  const same = entries.filter(({ platform }) => platform && isSamePlatform(platform, wanted))
  return variantsFor(wanted)
    .map((variant) => same.find(({ platform }) => platform?.variant === variant))
    .find((entry) => entry !== undefined)
}

function ofNone(entries: readonly IndexEntry[]): IndexEntry | undefined {
  const open = entries.filter(({ platform }) => platform === null)
  const nested = open.filter(({ mediaType }) => isIndexType(mediaType))
  if (nested.length === 1) return nested[0]
  return entries.length === 1 ? open[0] : undefined
}

function absent(entries: readonly IndexEntry[], wanted: Platform): string {
  const name = shownPlatform(wanted)
  const there = new Set(
    entries.flatMap(({ platform }) => (platform ? shownPlatform(platform) : [])),
  )
  if (there.size > 0) return `the image has ${listed([...there].sort())}, not ${name}`
  if (entries.length === 0) return 'the image is an index that names no images'
  return `the image is an index of ${entries.length} images that says no platform of any, so which one is ${name} cannot be told; name one by its digest`
}
