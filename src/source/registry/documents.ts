import { Flaw } from '../../errors.ts'
import {
  checked,
  checkParts,
  imageSchema,
  indexSchema,
  jsonOf,
  shaped,
  type Descriptor,
  type Image,
  type Index,
} from '../../image/document-schema.ts'
import { parseDigest } from '../../image/digest.ts'
import { isImageType, isIndexType, isNonDistributable } from '../../image/media-type.ts'
import { platformFields, platformOf, type Platform } from './platform.ts'
import type { FetchedManifest, Part } from './registry.ts'

export type ImageDocument = {
  readonly kind: 'image'
  readonly config: Part
  /** The lowest first. */
  readonly layers: readonly Part[]
  readonly artifactType: string | null
  readonly annotations: Part['annotations']
}

export type IndexDocument = { readonly kind: 'index'; readonly manifests: readonly IndexEntry[] }
export type IndexEntry = Part & { readonly platform: Platform | null }

/**
 * Reads what a registry gave, as OCI image-spec and Docker's schema 2 describe it.
 * @throws Flaw INVALID_OCI
 */
export function readDocument(fetched: FetchedManifest): ImageDocument | IndexDocument {
  refuseFirstSchema(fetched.mediaType, null)
  const document = jsonOf(fetched.bytes, invalid)
  refuseFirstSchema(fetched.mediaType, document)
  return kindOf(fetched.mediaType, document) === 'image'
    ? ofImage(checked(imageSchema, document, invalid))
    : ofIndex(checked(indexSchema, document, invalid))
}

/** Docker's first schema is JSON with signatures, or without; some registries call it plain JSON. */
function refuseFirstSchema(mediaType: string, document: unknown): void {
  const isFirst =
    mediaType.startsWith('application/vnd.docker.distribution.manifest.v1+') ||
    field(document, 'schemaVersion') === 1
  if (!isFirst) return
  throw new Flaw(
    'INVALID_OCI',
    'docker schema 1 manifests are not read; push the image again with a current client',
  )
}

/** What servers call a file that they know nothing of: then the document tells what it is. */
export const vague: ReadonlySet<string> = new Set([
  '',
  'application/json',
  'application/octet-stream',
  'text/plain',
])

function kindOf(mediaType: string, document: unknown): 'image' | 'index' {
  const own = field(document, 'mediaType')
  const claims = [...(vague.has(mediaType) ? [] : [mediaType]), ...(own === undefined ? [] : [own])]
  if (claims.length === 0) return field(document, 'manifests') === undefined ? 'image' : 'index'
  if (claims.every((claim) => typeof claim === 'string' && isImageType(claim))) return 'image'
  if (claims.every((claim) => typeof claim === 'string' && isIndexType(claim))) return 'index'
  const types = claims.map((claim) => JSON.stringify(claim).slice(0, 200)).join(' and ')
  throw invalid(`its type is ${types}; taken are images and indexes of OCI, and of docker schema 2`)
}

function field(document: unknown, name: string): unknown {
  if (typeof document !== 'object' || document === null) return undefined
  return new Map<string, unknown>(Object.entries(document)).get(name)
}

function ofImage({ config, layers, artifactType, annotations }: Image): ImageDocument {
  const parts = [config, ...layers]
  checkParts(parts, invalid)
  for (const part of parts) checkIsHere(part)
  return {
    kind: 'image',
    config: partOf(config),
    layers: layers.map(partOf),
    artifactType: artifactType || null,
    annotations: annotations ?? {},
  }
}

function ofIndex({ manifests }: Index): IndexDocument {
  checkParts(manifests, invalid)
  return { kind: 'index', manifests: manifests.map(entryOf) }
}

function entryOf(descriptor: Descriptor): IndexEntry {
  const { platform } = descriptor
  const read = platform === undefined || platform === null ? null : platformIn(platform)
  return { ...partOf(descriptor), platform: read }
}

function platformIn(platform: unknown): Platform | null {
  return platformOf(
    shaped(platformFields, platform, (problem, cause) => invalid(`a platform's ${problem}`, cause)),
  )
}

/** An image without all of its bytes is none, and addresses in a manifest are nobody's wish to go there. */
function checkIsHere({ digest, mediaType, urls }: Descriptor): void {
  if (!urls?.length && !isNonDistributable(mediaType)) return
  throw new Flaw(
    'INVALID_OCI',
    `the image's part ${digest} lies elsewhere than in its registry, where it is not fetched from; push the image with all of its layers`,
  )
}

function partOf({ digest, size, mediaType, annotations }: Descriptor): Part {
  return { digest: parseDigest(digest), size, mediaType, annotations: annotations ?? {} }
}

function invalid(problem: string, cause?: unknown): Flaw {
  return new Flaw('INVALID_OCI', `the image's manifest is not valid: ${problem}`, { cause })
}
