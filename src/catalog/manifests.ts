import type { Kysely } from 'kysely'
import { parseDigest, type Digest } from '../image/digest.ts'
import type { Schema } from './schema.ts'

/** A manifest as one repository has it. `size` is bytes. */
export type Manifest = {
  readonly digest: Digest
  readonly mediaType: string
  readonly size: number
}

/** Repositories: their manifests, tags, and the blobs that may be read through them. */
export class Manifests {
  readonly #db: Kysely<Schema>
  readonly #now: () => number

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /** @param needs the blobs that the manifest names; its own bytes are kept as one more */
  async put(repository: string, manifest: Manifest, needs: readonly Digest[]): Promise<void> {
    const { digest, mediaType, size } = manifest
    await this.#db
      .insertInto('manifests')
      .values({ repository, digest, media_type: mediaType, size, created_at: this.#now() })
      .onConflict((is) => is.columns(['repository', 'digest']).doNothing())
      .execute()
    const all = [...new Set([digest, ...needs])]
    await this.#db
      .insertInto('blob_references')
      .values(all.map((needed) => ({ repository, manifest: digest, digest: needed })))
      .onConflict((is) => is.columns(['repository', 'manifest', 'digest']).doNothing())
      .execute()
  }

  async tag(repository: string, name: string, digest: Digest): Promise<void> {
    const updated_at = this.#now()
    await this.#db
      .insertInto('tags')
      .values({ repository, name, digest, updated_at })
      .onConflict((is) => is.columns(['repository', 'name']).doUpdateSet({ digest, updated_at }))
      .execute()
  }

  async byDigest(repository: string, digest: Digest): Promise<Manifest | null> {
    const row = await this.#db
      .selectFrom('manifests')
      .select(['digest', 'media_type', 'size'])
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .executeTakeFirst()
    return row ? { digest, mediaType: row.media_type, size: row.size } : null
  }

  async byTag(repository: string, name: string): Promise<Manifest | null> {
    const row = await this.#db
      .selectFrom('tags')
      .select('digest')
      .where('repository', '=', repository)
      .where('name', '=', name)
      .executeTakeFirst()
    return row ? await this.byDigest(repository, parseDigest(row.digest)) : null
  }

  async exists(repository: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom('manifests')
      .select('digest')
      .where('repository', '=', repository)
      .limit(1)
      .executeTakeFirst()
    return row !== undefined
  }

  /** Tag names in ASCII order, those after `after` first. */
  async tags(repository: string, after: string, limit: number): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom('tags')
      .select('name')
      .where('repository', '=', repository)
      .where('name', '>', after)
      .orderBy('name')
      .limit(limit)
      .execute()
    return rows.map((row) => row.name)
  }

  /** The size of a blob that a manifest of the repository needs; null when none does. */
  async blobSize(repository: string, digest: Digest): Promise<number | null> {
    const row = await this.#db
      .selectFrom('blob_references')
      .innerJoin('blobs', 'blobs.digest', 'blob_references.digest')
      .select('blobs.size')
      .where('blob_references.digest', '=', digest)
      .where('blob_references.repository', '=', repository)
      .where('blobs.state', '=', 'present')
      .limit(1)
      .executeTakeFirst()
    return row?.size ?? null
  }

  /** Empties a repository; returns the blobs that it needed. */
  async removeAll(repository: string): Promise<readonly Digest[]> {
    await this.#db.deleteFrom('tags').where('repository', '=', repository).execute()
    await this.#db.deleteFrom('manifests').where('repository', '=', repository).execute()
    const rows = await this.#db
      .deleteFrom('blob_references')
      .where('repository', '=', repository)
      .returning('digest')
      .execute()
    return [...new Set(rows.map((row) => parseDigest(row.digest)))]
  }
}
