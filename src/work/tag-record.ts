import { isDigest, type Digest } from '../image/digest.ts'
import type { Image } from '../catalog/images.ts'
import { repositoryOf } from '../image/name.ts'
import type { Stored } from '../image/stored.ts'

/** Where a tag's record lies. No repository name begins with an underscore, so that the two cannot meet. */
export function tagKey(imageName: string, tag: string): string {
  return pushedTagKey(repositoryOf(imageName), tag)
}

/** What a tag names, and of the image what its manifest does not say: enough to make the catalog's row again. */
export function tagRecord(image: Image, { manifest }: Stored): Buffer {
  const { uid, createdAt, ownerUid, dataSource, hadSecrets } = image
  return Buffer.from(
    JSON.stringify({ manifest, image: { uid, createdAt, ownerUid, dataSource, hadSecrets } }),
  )
}

/** Where it is written down that a repository has a manifest that a client pushed: not every one has a tag. */
export function manifestKey(repository: string, digest: Digest): string {
  return `${repository}/_manifests/${digest}`
}

export function pushedTagKey(repository: string, tag: string): string {
  return `${repository}/_tags/${tag}`
}

/** What such a tag or manifest names. `size` is bytes. */
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
