import { z } from 'zod'
import type { Failure } from '../errors.ts'
import { algorithmOf, digestOf, isDigest, parseDigest } from './digest.ts'

/** Makes the error that whoever reads a document fails with. */
export type Invalid = (problem: string, cause?: unknown) => Failure

export const digestSchema = z
  .string()
  .refine(isDigest, 'is no sha256 or sha512 digest in lower-case hex')
/** RFC 6838 section 4.2, as the image-spec asks of every descriptor. */
const mediaType = z
  .string()
  .max(255)
  .regex(/^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(?:;.*)?$/)
const annotations = z.record(z.string(), z.string())

/** OCI image-spec, descriptor.md. */
const descriptor = z.looseObject({
  mediaType,
  digest: digestSchema,
  size: z.int().nonnegative(),
  urls: z.array(z.string()).optional(),
  annotations: annotations.optional(),
  data: z.base64().optional(),
  artifactType: mediaType.optional(),
})
export type Descriptor = z.output<typeof descriptor>

/** More than any image has: what a manifest names is looked up before anything else is done. */
export const mostParts = 10_000

const parts = z
  .array(z.unknown())
  .max(mostParts, `it names more than ${mostParts} parts`)
  .pipe(z.array(descriptor))

const shared = {
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.union([mediaType, z.literal('')]).optional(),
  subject: descriptor.optional(),
  annotations: annotations.optional(),
}

/** OCI image-spec, manifest.md; a document that is both an image and an index would be read in two ways. */
export const imageSchema = z.looseObject({
  ...shared,
  config: descriptor,
  layers: parts,
  manifests: z.never({ error: 'an image has no manifests' }).optional(),
})
export type Image = z.output<typeof imageSchema>

/** OCI image-spec, image-index.md. */
export const indexSchema = z.looseObject({
  ...shared,
  manifests: parts,
  config: z.never({ error: 'an index has no config' }).optional(),
  layers: z.never({ error: 'an index has no layers' }).optional(),
})
export type Index = z.output<typeof indexSchema>

export function jsonOf(bytes: Uint8Array, invalid: Invalid): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    throw invalid('it is no JSON in UTF-8', cause)
  }
}

const names = [...Object.keys(imageSchema.shape), ...Object.keys(indexSchema.shape)]

/** Many clients find a field whatever its case, and would read another document than the one that was checked. */
export function checkNames(document: unknown, names: readonly string[], invalid: Invalid): void {
  if (typeof document !== 'object' || document === null) return
  const known = new Map(names.map((name) => [name.toLowerCase(), name]))
  for (const name of Object.keys(document)) {
    const meant = known.get(name.toLowerCase())
    if (meant !== undefined && meant !== name) {
      throw invalid(`its field "${name}" is spelled "${meant}"`)
    }
  }
}

/** A manifest as its schema describes it. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  document: unknown,
  invalid: Invalid,
): z.output<Schema> {
  checkNames(document, names, invalid)
  return shaped(schema, document, invalid)
}

/** More than any manifest has: each of them is looked at, and each that is wrong makes work. */
const mostValues = 100_000

/** Before anything else is looked at, so that a small document cannot make much work. */
function checkCount(document: unknown, invalid: Invalid): void {
  let count = 0
  const open: unknown[] = [document]
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue
    const within: readonly unknown[] = Array.isArray(value) ? value : Object.values(value)
    count += within.length
    if (count > mostValues) throw invalid(`it has more than ${mostValues} values`)
    for (const each of within) if (typeof each === 'object') open.push(each)
  }
}

export function shaped<Schema extends z.ZodType>(
  schema: Schema,
  document: unknown,
  invalid: Invalid,
): z.output<Schema> {
  checkCount(document, invalid)
  const read = schema.safeParse(document)
  if (read.success) return read.data
  // The first says enough; all of them may be larger than what they are about.
  const [issue] = read.error.issues
  throw invalid(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`)
}

export function checkParts(parts: readonly Descriptor[], invalid: Invalid): void {
  if (parts.length > mostParts) throw invalid(`it names more than ${mostParts} parts`)
  for (const part of parts) checkData(part, invalid)
}

/** Content that a descriptor embeds has to be the content that it names (descriptor.md, "Embedded Content"). */
function checkData({ data, digest, size }: Descriptor, invalid: Invalid): void {
  if (data === undefined) return
  const bytes = Buffer.from(data, 'base64')
  const named = parseDigest(digest)
  if (bytes.length === size && digestOf(bytes, algorithmOf(named)) === named) return
  throw invalid(`the data of ${digest} is something else`)
}
