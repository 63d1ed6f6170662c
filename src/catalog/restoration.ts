import { sql, type Kysely, type Insertable } from 'kysely'
import type { Digest } from '../image/digest.ts'
import { handfuls } from './handfuls.ts'
import type { Image } from './images.ts'
import type { Manifest, Reference } from './manifests.ts'
import type { ImageTable, Schema } from './schema.ts'

/** A blob with its size in bytes. */
export type Sized = { readonly digest: Digest; readonly size: number }

/** A manifest as the store has it, with all that it needs. */
export type Restored = {
  readonly repository: string
  readonly manifest: Manifest
  readonly needs: readonly Sized[]
  readonly reference: Reference | null
}

export type RestoredTag = {
  readonly repository: string
  readonly name: string
  readonly digest: Digest
}

/**
 * Rows as the store tells them, when the catalog has lost them. What is here already stays as it is, but that a tag names
 * what the store says. All of it is to be called in transactions.
 */
export class Restoration {
  readonly #db: Kysely<Schema>
  readonly #now: () => number

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /** Notes blobs that lie in the store, for this connection and as long as it is open. */
  async note(blobs: readonly Sized[]): Promise<void> {
    await sql`create temporary table if not exists lying (digest text primary key, size bigint not null)`.execute(
      this.#db,
    )
    for (const some of handfuls(blobs)) {
      await this.#lying
        .insertInto('lying')
        .values(some.map(({ digest, size }) => ({ digest, size })))
        .onConflict((is) => is.column('digest').doNothing())
        .execute()
    }
  }

  /** Sizes of those of the digests that have been noted. */
  async sizes(digests: readonly Digest[]): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>()
    for (const some of handfuls([...new Set(digests)])) {
      const rows = await this.#lying
        .selectFrom('lying')
        .select(['digest', 'size'])
        .where('digest', 'in', some)
        .execute()
      for (const { digest, size } of rows) sizes.set(digest, size)
    }
    return sizes
  }

  get #lying() {
    return this.#db.withTables<{ lying: { digest: string; size: number } }>()
  }

  /**
   * Manifests with what they need.
   * @param sizes of the blobs that lie in the store
   * @returns how many rows are new: of manifests, of what they need, and of blobs
   */
  async manifests(restored: readonly Restored[], sizes: ReadonlyMap<string, number>) {
    const blobs = new Map<string, Sized>()
    for (const { manifest, needs } of restored) {
      for (const each of [manifest, ...needs]) {
        blobs.set(each.digest, { digest: each.digest, size: sizes.get(each.digest) ?? each.size })
      }
    }
    const added = await this.#blobs([...blobs.values()], sizes)
    return {
      blobs: added,
      references: await this.#references(restored),
      manifests: await this.#manifests(restored),
    }
  }

  async #blobs(blobs: readonly Sized[], sizes: ReadonlyMap<string, number>): Promise<number> {
    let added = 0
    const now = this.#now()
    for (const some of handfuls(blobs)) {
      const rows = some.map(({ digest, size }) => ({
        digest,
        size,
        state: 'present' as const,
        created_at: now,
      }))
      const { numInsertedOrUpdatedRows } = await this.#db
        .insertInto('blobs')
        .values(rows)
        .onConflict((is) => is.column('digest').doNothing())
        .executeTakeFirstOrThrow()
      added += Number(numInsertedOrUpdatedRows ?? 0n)
      added += await this.#keep(some.flatMap(({ digest }) => (sizes.has(digest) ? [digest] : [])))
    }
    return added
  }

  /** What an older catalog was about to remove is needed, and here. */
  async #keep(digests: readonly Digest[]): Promise<number> {
    if (digests.length === 0) return 0
    const { numUpdatedRows } = await this.#db
      .updateTable('blobs')
      .set({ state: 'present' })
      .where('digest', 'in', digests)
      .where('state', '=', 'deleting')
      .executeTakeFirst()
    return Number(numUpdatedRows)
  }

  async #manifests(restored: readonly Restored[]): Promise<number> {
    let added = 0
    const created_at = this.#now()
    for (const some of handfuls(restored)) {
      const { numInsertedOrUpdatedRows } = await this.#db
        .insertInto('manifests')
        .values(some.map((each) => manifestRow(each, created_at)))
        .onConflict((is) => is.columns(['repository', 'digest']).doNothing())
        .executeTakeFirstOrThrow()
      added += Number(numInsertedOrUpdatedRows ?? 0n)
    }
    return added
  }

  async #references(restored: readonly Restored[]): Promise<number> {
    let added = 0
    const rows = restored.flatMap(({ repository, manifest: { digest: manifest }, needs }) =>
      [...new Set([manifest, ...needs.map(({ digest }) => digest)])].map((digest) => ({
        repository,
        manifest,
        digest,
      })),
    )
    for (const some of handfuls(rows)) {
      const { numInsertedOrUpdatedRows } = await this.#db
        .insertInto('blob_references')
        .values(some)
        .onConflict((is) => is.columns(['repository', 'manifest', 'digest']).doNothing())
        .executeTakeFirstOrThrow()
      added += Number(numInsertedOrUpdatedRows ?? 0n)
    }
    return added
  }

  /** @returns how many are new or name something else now */
  async tags(tags: readonly RestoredTag[]): Promise<number> {
    let added = 0
    const updated_at = this.#now()
    for (const some of handfuls(tags)) {
      const { numInsertedOrUpdatedRows } = await this.#db
        .insertInto('tags')
        .values(
          some.map(({ repository, name, digest }) => ({ repository, name, digest, updated_at })),
        )
        .onConflict((is) =>
          is
            .columns(['repository', 'name'])
            .doUpdateSet((row) => ({ digest: row.ref('excluded.digest'), updated_at }))
            .whereRef('tags.digest', '!=', 'excluded.digest'),
        )
        .executeTakeFirstOrThrow()
      added += Number(numInsertedOrUpdatedRows ?? 0n)
    }
    return added
  }

  /**
   * An image with all that is told of it, in the place of whatever else has its name.
   * @param isFirst of those that are restored now: events go on above all that were ever given out
   */
  async image(image: Image, isFirst: boolean): Promise<void> {
    await this.#db.deleteFrom('images').where('name', '=', image.name).execute()
    await this.#db.insertInto('images').values(imageRow(image)).execute()
    await this.#db
      .insertInto('events')
      .values({
        ...(isFirst && { seq: await this.#beyondAll() }),
        kind: 'image',
        image_name: image.name,
        image_uid: image.uid,
        at: this.#now(),
      })
      .execute()
  }

  /** A catalog that was lost may have given out any number, but never so many that they reach the milliseconds since 1970. */
  async #beyondAll(): Promise<number> {
    const row = await this.#db
      .selectFrom('events')
      .select((is) => is.fn.max('seq').as('newest'))
      .executeTakeFirst()
    return Math.max(this.#now(), (row?.newest ?? 0) + 1)
  }
}

function manifestRow({ repository, manifest, reference }: Restored, created_at: number) {
  return {
    repository,
    created_at,
    digest: manifest.digest,
    media_type: manifest.mediaType,
    size: manifest.size,
    subject: reference?.subject ?? null,
    artifact_type: reference?.artifactType ?? null,
    annotations: reference?.annotations ? JSON.stringify(reference.annotations) : null,
  }
}

function imageRow(image: Image): Insertable<ImageTable> {
  const { stored, ready, source } = image
  return {
    uid: image.uid,
    name: image.name,
    generation: image.generation,
    created_at: image.createdAt,
    owner_uid: image.ownerUid,
    data_source: JSON.stringify(image.dataSource),
    refers_to: image.dataSource.objectRef?.name ?? null,
    secrets: image.secrets,
    sealed_query: image.sealedQuery,
    had_secrets: image.hadSecrets ? 1 : 0,
    url_key: image.urlKey,
    attempt: image.attempt,
    phase: image.phase,
    ready_reason: ready.reason,
    ready_message: ready.message,
    ready_since: ready.since,
    source_reason: source.reason,
    source_message: source.message,
    source_since: source.since,
    retries: image.retries,
    next_retry_at: image.nextRetryAt,
    stored: stored && JSON.stringify(stored),
    format: stored?.format ?? null,
    manifest_digest: stored?.manifest.digest ?? null,
    source_sha256: stored?.source.sha256 ?? null,
  }
}
