import { z } from 'zod'
import type { Image } from '../catalog/images.ts'
import { dataSourceSchema } from '../image/data-source.ts'
import { isDigest, type Digest } from '../image/digest.ts'
import { digestSchema } from '../image/document-schema.ts'
import { isRepository, isTag, repositoryOf } from '../image/name.ts'
import { storedSchema, type Stored } from '../image/stored.ts'

/** Where a tag's record lies. No repository name begins with an underscore, so that the two cannot meet. */
export function tagKey(imageName: string, tag: string): string {
  return pushedTagKey(repositoryOf(imageName), tag)
}

/** Where it is written down that a repository has a manifest that a client pushed: not every one has a tag. */
export function manifestKey(repository: string, digest: Digest): string {
  return `${repository}/_manifests/${digest}`
}

export function pushedTagKey(repository: string, tag: string): string {
  return `${repository}/_tags/${tag}`
}

/** What the key of a record says; null for one that is neither a tag's nor a manifest's. */
export type Place = { readonly repository: string; readonly tag: string | null }

export function placeOf(key: string): Place | null {
  const [, repository = '', kind, name = ''] = /^(.+)\/_(tags|manifests)\/([^/]+)$/.exec(key) ?? []
  if (!isRepository(repository)) return null
  if (kind === 'manifests') return { repository, tag: null }
  return isTag(name) ? { repository, tag: name } : null
}

/**
 * What a tag names, and of the image what its manifest does not say: enough to make the catalog's row again.
 * @param image as it is once it is Ready
 */
export function tagRecord(image: Image, stored: Stored): Buffer {
  const { uid, createdAt, ownerUid, dataSource, hadSecrets, sealedQuery, urlKey } = image
  const { generation, attempt, retries, ready, source } = image
  const status = {
    generation,
    attempt,
    retries,
    readySince: ready.since,
    sourceSince: source.since,
    urlKey,
    sealedQuery: sealedQuery && Buffer.from(sealedQuery).toString('base64'),
    stored,
  }
  return Buffer.from(
    JSON.stringify({
      manifest: stored.manifest,
      image: { uid, createdAt, ownerUid, dataSource, hadSecrets, status },
    }),
  )
}

/** What a tag or manifest that a client pushed names. `size` is bytes. */
export function pushedRecord(manifest: Stored['manifest']): Buffer {
  return Buffer.from(JSON.stringify({ manifest }))
}

/** What a record's key says: which tag it is of, or which manifest; null for a key of something else. */
export function recordOf(key: string): RecordKey | null {
  const [, repository, kind, rest] = /^(.+)\/_(tags|manifests)\/([^/]+)$/.exec(key) ?? []
  if (repository === undefined || rest === undefined) return null
  if (kind === 'tags') return { repository, tag: rest, digest: null }
  return isDigest(rest) ? { repository, tag: null, digest: rest } : null
}

export type RecordKey =
  | { readonly repository: string; readonly tag: string; readonly digest: null }
  | { readonly repository: string; readonly tag: null; readonly digest: Digest }

const sealed = z.base64().transform((text) => new Uint8Array(Buffer.from(text, 'base64')))

const imageSchema = z.object({
  uid: z.string(),
  createdAt: z.number(),
  ownerUid: z.string().nullable(),
  dataSource: dataSourceSchema,
  hadSecrets: z.boolean(),
  /** Records of earlier versions are without: then the manifest tells what it can. */
  status: z
    .object({
      generation: z.int(),
      attempt: z.int(),
      retries: z.int(),
      readySince: z.number(),
      sourceSince: z.number(),
      urlKey: z.string().nullable(),
      /** Sealed with the server's key. */
      sealedQuery: sealed.nullable(),
      stored: storedSchema,
    })
    .optional(),
})
export type ImageRecord = z.output<typeof imageSchema>

const recordSchema = z.object({
  manifest: z.object({ digest: digestSchema, size: z.number(), mediaType: z.string() }),
  image: imageSchema.optional(),
})
export type TagRecord = z.output<typeof recordSchema>

/** Null for what is no record. */
export function readTagRecord(bytes: Uint8Array): TagRecord | null {
  try {
    return recordSchema.parse(JSON.parse(Buffer.from(bytes).toString()))
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return null
    throw error
  }
}
