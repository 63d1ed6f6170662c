import type { ExpressionBuilder, Kysely } from 'kysely'
import { parseDigest, type Digest } from '../image/digest.ts'
import { handfuls } from './handfuls.ts'
import { isReferenced } from './referenced.ts'
import type { Schema } from './schema.ts'

/** `size` is bytes. */
export type Blob = { readonly digest: Digest; readonly size: number }

/** A page of blobs. The next one begins behind `last`, null when there is none. */
export type Look = {
  readonly looked: number
  readonly unkept: readonly Blob[]
  readonly last: string | null
}

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
        .values({ ...blob, state: 'present', created_at: now, writes: 0 })
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

  /** The size of a blob that can be read and built on; null when there is none, it is damaged or being deleted. */
  async size(digest: Digest): Promise<number | null> {
    const row = await this.#db
      .selectFrom('blobs')
      .select('size')
      .where('digest', '=', digest)
      .where('state', '=', 'present')
      .where('damage', 'is', null)
      .executeTakeFirst()
    return row?.size ?? null
  }

  /**
   * Marks those that nothing keeps any more. To be called in a transaction, and followed by their deletion.
   * @returns those that were marked now
   */
  async condemn(candidates: readonly Digest[]): Promise<readonly Blob[]> {
    const condemned: Blob[] = []
    for (const some of handfuls(candidates)) {
      const rows = await this.#db
        .updateTable('blobs')
        .set({ state: 'deleting' })
        .where('digest', 'in', some)
        .where('state', '=', 'present')
        .where((is) => isUnkept(is, this.#now()))
        .returning(['digest', 'size'])
        .execute()
      condemned.push(...rows.map(blobOf))
    }
    return condemned
  }

  /**
   * Marks blobs of the store that no row knows, so that whoever brings the same bytes meanwhile meets a blob that is being
   * deleted. To be called in a transaction, and followed by their deletion.
   * @returns those that still have no other row
   */
  async condemnUnknown(found: readonly Blob[]): Promise<readonly Blob[]> {
    const condemned: Blob[] = []
    for (const some of handfuls(found)) {
      const created_at = this.#now()
      const rows = await this.#db
        .insertInto('blobs')
        .values(
          some.map(({ digest, size }) => ({
            digest,
            size,
            state: 'deleting' as const,
            created_at,
          })),
        )
        .onConflict((is) => is.column('digest').doNothing())
        .returning(['digest', 'size'])
        .execute()
      condemned.push(...rows.map(blobOf))
    }
    return condemned
  }

  /** Looks at so many blobs behind `after` for those that nothing keeps: what a crash left. */
  async unkept(after: string, limit: number): Promise<Look> {
    const rows = await this.#db
      .selectFrom('blobs')
      .select(['digest', 'size', 'state'])
      .select((is) => isUnkept(is, this.#now()).as('is_unkept'))
      .where('digest', '>', after)
      .orderBy('digest')
      .limit(limit)
      .execute()
    const unkept = rows.filter((row) => row.state === 'present' && Boolean(row.is_unkept))
    const last = rows.length < limit ? null : (rows.at(-1)?.digest ?? null)
    return { looked: rows.length, unkept: unkept.map(blobOf), last }
  }

  /** Those of the digests that have a row, in whatever state. */
  async known(digests: readonly Digest[]): Promise<ReadonlySet<string>> {
    const known = new Set<string>()
    for (const some of handfuls(digests)) {
      const rows = await this.#db
        .selectFrom('blobs')
        .select('digest')
        .where('digest', 'in', some)
        .execute()
      for (const { digest } of rows) known.add(digest)
    }
    return known
  }

  /** Those that are being deleted, behind `after` in the order of digests. */
  async condemned(after = '', limit = 500): Promise<readonly Blob[]> {
    const rows = await this.#db
      .selectFrom('blobs')
      .select(['digest', 'size'])
      .where('state', '=', 'deleting')
      .where('digest', '>', after)
      .orderBy('digest')
      .limit(limit)
      .execute()
    return rows.map(blobOf)
  }

  /** Those of the digests that are being deleted. */
  async stillCondemned(digests: readonly Digest[]): Promise<readonly Blob[]> {
    const rows = await this.#db
      .selectFrom('blobs')
      .select(['digest', 'size'])
      .where('state', '=', 'deleting')
      .where('digest', 'in', digests)
      .execute()
    return rows.map(blobOf)
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

function blobOf({ digest, size }: { digest: string; size: number }): Blob {
  return { digest: parseDigest(digest), size }
}

/** Neither a manifest nor a running lease needs the blob of the row. */
function isUnkept(is: ExpressionBuilder<Schema, 'blobs'>, now: number) {
  const leases = is
    .selectFrom('leases')
    .select('leases.digest')
    .whereRef('leases.digest', '=', 'blobs.digest')
    .where('leases.expires_at', '>', now)
  return is.and([is.not(isReferenced(is)), is.not(is.exists(leases))])
}
