import { z } from 'zod'
import { Refusal } from '../errors.ts'
import { algorithmOf, digestOf, isDigest, parseDigest, type Digest } from './digest.ts'
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

const digest = z.string().refine(isDigest, 'is no sha256 or sha512 digest in lower-case hex')
/** RFC 6838 section 4.2, as the image-spec asks of every descriptor. */
const mediaType = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(?:;.*)?$/)
const annotations = z.record(z.string(), z.string())

/** OCI image-spec, descriptor.md. */
const descriptor = z.looseObject({
  mediaType,
  digest,
  size: z.int().nonnegative(),
  urls: z.array(z.string()).optional(),
  annotations: annotations.optional(),
  data: z.base64().optional(),
  artifactType: mediaType.optional(),
})
type Descriptor = z.output<typeof descriptor>

const shared = {
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.union([mediaType, z.literal('')]).optional(),
  subject: descriptor.optional(),
  annotations: annotations.optional(),
}

/** OCI image-spec, manifest.md; a document that is both an image and an index would be read in two ways. */
const imageSchema = z.looseObject({
  ...shared,
  config: descriptor,
  layers: z.array(descriptor),
  manifests: z.never({ error: 'an image has no manifests' }).optional(),
})

/** OCI image-spec, image-index.md. */
const indexSchema = z.looseObject({
  ...shared,
  manifests: z.array(descriptor),
  config: z.never({ error: 'an index has no config' }).optional(),
  layers: z.never({ error: 'an index has no layers' }).optional(),
})

/**
 * Reads a manifest strictly, as OCI image-spec and Docker's schema 2 describe it.
 * @param contentType of the request; the document's own `mediaType` must be the same
 * @throws Refusal MANIFEST_INVALID
 */
export function readManifest(bytes: Uint8Array, contentType: string): ManifestDocument {
  const document = parsed(bytes)
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? ''
  if (isImageType(type)) return ofImage(checked(imageSchema, document), type)
  if (isIndexType(type)) return ofIndex(checked(indexSchema, document), type)
  throw new Refusal(
    'MANIFEST_INVALID',
    `the Content-Type "${type.slice(0, 200)}" is no manifest that this registry takes; it takes ${[...manifestTypes.image, ...manifestTypes.index].join(', ')}`,
  )
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw invalid('it is no JSON in UTF-8', cause)
  }
}

const names = [
  'schemaVersion',
  'mediaType',
  'artifactType',
  'subject',
  'annotations',
  'config',
  'layers',
  'manifests',
]
const known = new Map(names.map((name) => [name.toLowerCase(), name]))

/** Many clients find a field whatever its case, and would read another document than the one that was checked. */
function checkNames(document: unknown): void {
  if (typeof document !== 'object' || document === null) return
  for (const name of Object.keys(document)) {
    const meant = known.get(name.toLowerCase())
    if (meant !== undefined && meant !== name) {
      throw invalid(`its field "${name}" is spelled "${meant}"`)
    }
  }
}

function checked<Schema extends z.ZodType>(schema: Schema, document: unknown): z.output<Schema> {
  checkNames(document)
  const read = schema.safeParse(document)
  if (read.success) return read.data
  const [issue] = read.error.issues
  throw invalid(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, read.error)
}

function ofImage(image: z.output<typeof imageSchema>, type: string): ManifestDocument {
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

function ofIndex(index: z.output<typeof indexSchema>, type: string): ManifestDocument {
  return {
    ...common(index, type, index.manifests),
    needs: index.manifests.filter(isKeptHere).map((part) => need(kindOf(part), part)),
    artifactType: index.artifactType ?? '',
    warnings: [],
  }
}

/** They go into headers, which clients have little room for. */
const mostWarnings = 5

type Common = { readonly [Key in keyof typeof shared]?: z.output<(typeof shared)[Key]> }

function common({ mediaType, subject, annotations }: Common, type: string, parts: Descriptor[]) {
  if (mediaType !== undefined && mediaType !== type) {
    throw invalid(`its mediaType is ${mediaType.slice(0, 200)}, the Content-Type ${type}`)
  }
  if (parts.length > mostParts) throw invalid(`it names more than ${mostParts} parts`)
  for (const part of subject ? [...parts, subject] : parts) checkData(part)
  return {
    mediaType: type,
    subject: subject ? parseDigest(subject.digest) : null,
    annotations: annotations ?? null,
  }
}

/** Content that a descriptor embeds has to be the content that it names (descriptor.md, "Embedded Content"). */
function checkData({ data, digest, size }: Descriptor): void {
  if (data === undefined) return
  const bytes = Buffer.from(data, 'base64')
  const named = parseDigest(digest)
  if (bytes.length === size && digestOf(bytes, algorithmOf(named)) === named) return
  throw invalid(`the data of ${digest} is something else`)
}

/** Of other types an index may hold blobs, as build caches do. */
function kindOf({ mediaType }: Descriptor): Need['kind'] {
  return isImageType(mediaType) || isIndexType(mediaType) ? 'manifest' : 'blob'
}

/** Content with `urls` lies elsewhere, and so does what may not be distributed. */
function isKeptHere({ urls, mediaType }: Descriptor): boolean {
  return !urls?.length && !isNonDistributable(mediaType)
}

/** More than any image has: what a manifest names is looked up before anything else is done. */
const mostParts = 10_000

function need(kind: Need['kind'], { digest, size }: Descriptor): Need {
  return { kind, digest: parseDigest(digest), size }
}

function invalid(problem: string, cause?: unknown): Refusal {
  return new Refusal('MANIFEST_INVALID', `the manifest is not valid: ${problem}`, { cause })
}
