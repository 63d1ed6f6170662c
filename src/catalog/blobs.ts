import type { ExpressionBuilder, Kysely } from 'kysely'
import { parseDigest, type Digest } from '../image/digest.ts'
import { handfuls } from './handfuls.ts'
import type { Schema } from './schema.ts'

/**
 * Which blobs there are and whether anything needs them. A blob that neither a manifest nor a lease keeps becomes
 * `deleting` in one transaction; its bytes go after that commit, its row last. Whoever meets it in between is told that
 * it does not exist.
 */
export class Blobs {
  readonly #db: Kysely<Schema>
  readonly #now: () => number

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /**
   * Announces a blob before its bytes become visible, and keeps it for `holder`. To be called in a transaction.
   * @returns false while the same blob is being deleted
   */
  async reserve(blob: { digest: Digest; size: number }, holder: string, leaseFor: number) {
    const now = this.#now()
    const present = await this.#db
      .selectFrom('blobs')
      .select('state')
      .where('digest', '=', blob.digest)
      .executeTakeFirst()
    if (present?.state === 'deleting') return false
    if (!present) {
      await this.#db
        .insertInto('blobs')
        .values({ ...blob, state: 'present', created_at: now })
        .execute()
    }
    await this.#db
      .insertInto('leases')
      .values({
        digest: blob.digest,
        holder,
        expires_at: now + leaseFor,
        repository: null,
        granted_at: now,
      })
      .onConflict((is) =>
        is.columns(['digest', 'holder']).doUpdateSet({ expires_at: now + leaseFor }),
      )
      .execute()
    return true
  }

  /** What the holder kept, and keeps no longer. */
  async endLeases(holder: string): Promise<readonly Digest[]> {
    const rows = await this.#db
      .deleteFrom('leases')
      .where('holder', '=', holder)
      .returning('digest')
      .execute()
    return rows.map((row) => parseDigest(row.digest))
  }

  /** Bytes of all blobs. */
  async total(): Promise<number> {
    const row = await this.#db
      .selectFrom('blobs')
      .select((is) => is.fn.sum<number | string | null>('size').as('total'))
      .executeTakeFirst()
    return Number(row?.total ?? 0)
  }

  /** The size of a blob that can be read, null when there is none or it is being deleted. */
  async size(digest: Digest): Promise<number | null> {
    const row = await this.#db
      .selectFrom('blobs')
      .select('size')
      .where('digest', '=', digest)
      .where('state', '=', 'present')
      .executeTakeFirst()
    return row?.size ?? null
  }

  /** Marks those that nothing keeps any more. To be called in a transaction, and followed by their deletion. */
  async condemn(candidates: readonly Digest[]): Promise<void> {
    for (const some of handfuls(candidates)) {
      await this.#db
        .updateTable('blobs')
        .set({ state: 'deleting' })
        .where('digest', 'in', some)
        .where((is) => isUnkept(is, this.#now()))
        .execute()
    }
  }

  /** Blobs that nothing keeps: what a crash left. */
  async unkept(limit: number): Promise<readonly Digest[]> {
    const rows = await this.#db
      .selectFrom('blobs')
      .select('digest')
      .where('state', '=', 'present')
      .where((is) => isUnkept(is, this.#now()))
      .limit(limit)
      .execute()
    return rows.map((row) => parseDigest(row.digest))
  }

  async condemned(): Promise<readonly Digest[]> {
    const rows = await this.#db
      .selectFrom('blobs')
      .select('digest')
      .where('state', '=', 'deleting')
      .execute()
    return rows.map((row) => parseDigest(row.digest))
  }

  /** Their bytes are gone. */
  async forget(digests: readonly Digest[]): Promise<void> {
    for (const some of handfuls(digests)) {
      await this.#db.deleteFrom('leases').where('digest', 'in', some).execute()
      await this.#db
        .deleteFrom('blobs')
        .where('digest', 'in', some)
        .where('state', '=', 'deleting')
        .execute()
    }
  }
}

/** Neither a manifest nor a running lease needs the blob of the row. */
function isUnkept(is: ExpressionBuilder<Schema, 'blobs'>, now: number) {
  const references = is
    .selectFrom('blob_references')
    .select('blob_references.digest')
    .whereRef('blob_references.digest', '=', 'blobs.digest')
  const leases = is
    .selectFrom('leases')
    .select('leases.digest')
    .whereRef('leases.digest', '=', 'blobs.digest')
    .where('leases.expires_at', '>', now)
  return is.and([is.not(is.exists(references)), is.not(is.exists(leases))])
}
