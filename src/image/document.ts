import { Refusal } from '../errors.ts'
import { parseDigest, type Digest } from './digest.ts'
import {
  checked,
  checkParts,
  imageSchema,
  indexSchema,
  jsonOf,
  type Descriptor,
  type Image,
  type Index,
} from './document-schema.ts'
import { isImageType, isIndexType, isNonDistributable, manifestTypes } from './media-type.ts'

/** Something that a manifest names and cannot do without. `size` is bytes. */
export type Need = {
  readonly kind: 'blob' | 'manifest'
  readonly digest: Digest
  readonly size: number
}

/** What a registry has to know of a manifest that a client pushes. */
export type ManifestDocument = {
  readonly mediaType: string
  readonly needs: readonly Need[]
  readonly subject: Digest | null
  /** As the list of referrers shows it: an image without one is of its configuration's type. */
  readonly artifactType: string
  readonly annotations: { readonly [name: string]: string } | null
  /** Uses of what the specification has deprecated, as sentences. */
  readonly warnings: readonly string[]
}

/**
 * Reads a manifest strictly, as OCI image-spec and Docker's schema 2 describe it.
 * @param contentType of the request; the document's own `mediaType` must be the same
 * @throws Refusal MANIFEST_INVALID
 */
export function readManifest(bytes: Uint8Array, contentType: string): ManifestDocument {
  const document = jsonOf(bytes, invalid)
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? ''
  if (isImageType(type)) return ofImage(checked(imageSchema, document, invalid), type)
  if (isIndexType(type)) return ofIndex(checked(indexSchema, document, invalid), type)
  throw new Refusal(
    'MANIFEST_INVALID',
    `the Content-Type "${type.slice(0, 200)}" is no manifest that this registry takes; it takes ${[...manifestTypes.image, ...manifestTypes.index].join(', ')}`,
  )
}

function ofImage(image: Image, type: string): ManifestDocument {
  const parts = [image.config, ...image.layers]
  const deprecated = image.layers.filter(({ mediaType }) => isNonDistributable(mediaType))
  return {
    ...common(image, type, parts),
    needs: parts.filter(isKeptHere).map((part) => need('blob', part)),
    artifactType: image.artifactType || image.config.mediaType,
    warnings: [...new Set(deprecated.map(({ mediaType }) => `${mediaType} is deprecated`))].slice(
      0,
      mostWarnings,
    ),
  }
}

function ofIndex(index: Index, type: string): ManifestDocument {
  return {
    ...common(index, type, index.manifests),
    needs: index.manifests.filter(isKeptHere).map((part) => need(kindOf(part), part)),
    artifactType: index.artifactType ?? '',
    warnings: [],
  }
}

/** They go into headers, which clients have little room for. */
const mostWarnings = 5

function common(
  { mediaType, subject, annotations }: Image | Index,
  type: string,
  parts: readonly Descriptor[],
) {
  if (mediaType !== undefined && mediaType !== type) {
    throw invalid(`its mediaType is ${mediaType.slice(0, 200)}, the Content-Type ${type}`)
  }
  checkParts(parts, invalid)
  if (subject) checkParts([subject], invalid)
  return {
    mediaType: type,
    subject: subject ? parseDigest(subject.digest) : null,
    annotations: annotations ?? null,
  }
}

/** Of other types an index may hold blobs, as build caches do. */
function kindOf({ mediaType }: Descriptor): Need['kind'] {
  return isImageType(mediaType) || isIndexType(mediaType) ? 'manifest' : 'blob'
}

/** Content with `urls` lies elsewhere, and so does what may not be distributed. */
function isKeptHere({ urls, mediaType }: Descriptor): boolean {
  return !urls?.length && !isNonDistributable(mediaType)
}

function need(kind: Need['kind'], { digest, size }: Descriptor): Need {
  return { kind, digest: parseDigest(digest), size }
}

function invalid(problem: string, cause?: unknown): Refusal {
  return new Refusal('MANIFEST_INVALID', `the manifest is not valid: ${problem}`, { cause })
}
