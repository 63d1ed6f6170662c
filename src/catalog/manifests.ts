import type { ExpressionBuilder, Kysely } from 'kysely'
import { parseDigest, type Digest } from '../image/digest.ts'
import { handfuls } from './handfuls.ts'
import type { Notepad } from './notepad.ts'
import type { Schema } from './schema.ts'

/** A manifest as one repository has it. `size` is bytes. */
export type Manifest = {
  readonly digest: Digest
  readonly mediaType: string
  readonly size: number
}

/** What a manifest says of another one, for the list of that one's referrers. */
export type Reference = {
  readonly subject: Digest
  readonly artifactType: string
  readonly annotations: { readonly [name: string]: string } | null
}

/** Repositories: their manifests and tags. */
export class Manifests {
  readonly #db: Kysely<Schema>
  readonly #now: () => number
  readonly #changed: Set<string>
  readonly #notepad: Notepad | null

  /** @param repositories collects those to announce once the transaction is committed */
  constructor(
    db: Kysely<Schema>,
    now: () => number,
    { repositories, notepad }: { repositories: Set<string>; notepad: Notepad | null },
  ) {
    this.#db = db
    this.#now = now
    this.#changed = repositories
    this.#notepad = notepad
  }

  /** @param needs the blobs that the manifest names; its own bytes are kept as one more */
  async put(
    repository: string,
    manifest: Manifest,
    needs: readonly Digest[],
    reference: Reference | null = null,
  ): Promise<void> {
    const { digest, mediaType, size } = manifest
    this.#changed.add(repository)
    this.#notepad?.pushed(repository, manifest, null)
    await this.#db
      .insertInto('manifests')
      .values({
        repository,
        digest,
        media_type: mediaType,
        size,
        created_at: this.#now(),
        subject: reference?.subject ?? null,
        artifact_type: reference?.artifactType ?? null,
        annotations: reference?.annotations ? JSON.stringify(reference.annotations) : null,
      })
      .onConflict((is) => is.columns(['repository', 'digest']).doNothing())
      .execute()
    for (const some of handfuls([...new Set([digest, ...needs])])) {
      await this.#db
        .insertInto('blob_references')
        .values(some.map((needed) => ({ repository, manifest: digest, digest: needed })))
        .onConflict((is) => is.columns(['repository', 'manifest', 'digest']).doNothing())
        .execute()
    }
  }

  /**
   * Removes a manifest and its tags.
   * @returns the blobs that it needed and the names of its tags; null when it is not there
   */
  async remove(repository: string, digest: Digest) {
    this.#changed.add(repository)
    const { numDeletedRows } = await this.#db
      .deleteFrom('manifests')
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .executeTakeFirst()
    if (numDeletedRows === 0n) return null
    this.#notepad?.deleted(repository, { digest, tag: null })
    const tags = await this.#db
      .deleteFrom('tags')
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .returning('name')
      .execute()
    const needs = await this.#db
      .deleteFrom('blob_references')
      .where('repository', '=', repository)
      .where('manifest', '=', digest)
      .returning('digest')
      .execute()
    return {
      tags: tags.map(({ name }) => name),
      needs: needs.map((row) => parseDigest(row.digest)),
    }
  }

  /** Whether there was such a tag. */
  async untag(repository: string, name: string): Promise<boolean> {
    this.#changed.add(repository)
    const { numDeletedRows } = await this.#db
      .deleteFrom('tags')
      .where('repository', '=', repository)
      .where('name', '=', name)
      .executeTakeFirst()
    if (numDeletedRows > 0n) this.#notepad?.deleted(repository, { digest: null, tag: name })
    return numDeletedRows > 0n
  }

  /** Sizes of those of the digests that are manifests of the repository, and undamaged. */
  async sizes(repository: string, digests: readonly Digest[]): Promise<Map<string, number>> {
    const sizes = new Map<string, number>()
    for (const some of handfuls(digests)) {
      const rows = await this.#db
        .selectFrom('manifests')
        .select(['digest', 'size'])
        .where('repository', '=', repository)
        .where('digest', 'in', some)
        .where((is) => is.not(isDamaged(is)))
        .execute()
      for (const { digest, size } of rows) sizes.set(digest, size)
    }
    return sizes
  }

  /** A manifest of the repository, other than itself, that needs this blob or manifest; null when none does. */
  async user(repository: string, digest: Digest): Promise<string | null> {
    const row = await this.#db
      .selectFrom('blob_references')
      .select('manifest')
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .where('manifest', '!=', digest)
      .limit(1)
      .executeTakeFirst()
    return row?.manifest ?? null
  }

  /** Repositories with a manifest, those behind `after` in ASCII order. */
  async repositories(after: string, limit: number): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom('manifests')
      .select('repository')
      .distinct()
      .where('repository', '>', after)
      .orderBy('repository')
      .limit(limit)
      .execute()
    return rows.map((row) => row.repository)
  }

  async tag(repository: string, name: string, digest: Digest): Promise<void> {
    this.#changed.add(repository)
    const updated_at = this.#now()
    await this.#db
      .insertInto('tags')
      .values({ repository, name, digest, updated_at })
      .onConflict((is) => is.columns(['repository', 'name']).doUpdateSet({ digest, updated_at }))
      .execute()
    const manifest = this.#notepad && (await this.byDigest(repository, digest))
    if (manifest) this.#notepad?.pushed(repository, manifest, name)
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

  /** Empties a repository; returns the blobs that it needed. */
  async removeAll(repository: string): Promise<readonly Digest[]> {
    this.#changed.add(repository)
    await this.#db.deleteFrom('tags').where('repository', '=', repository).execute()
    const gone = await this.#db
      .deleteFrom('manifests')
      .where('repository', '=', repository)
      .returning('digest')
      .execute()
    for (const row of gone) {
      this.#notepad?.deleted(repository, { digest: parseDigest(row.digest), tag: null })
    }
    const rows = await this.#db
      .deleteFrom('blob_references')
      .where('repository', '=', repository)
      .returning('digest')
      .execute()
    return [...new Set(rows.map((row) => parseDigest(row.digest)))]
  }
}

function isDamaged(is: ExpressionBuilder<Schema, 'manifests'>) {
  const damaged = is
    .selectFrom('blobs')
    .select('blobs.digest')
    .whereRef('blobs.digest', '=', 'manifests.digest')
    .where('damage', 'is not', null)
  return is.exists(damaged)
}
