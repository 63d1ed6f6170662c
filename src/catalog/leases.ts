import type { Kysely } from 'kysely'
import { parseDigest, type Digest } from '../image/digest.ts'
import { handfuls } from './handfuls.ts'
import type { Schema } from './schema.ts'

/** A push takes a day at most; what nobody has used until then goes, however busy its repository is. */
const prolongedFor = 24 * 3_600_000

/**
 * What keeps a blob that no manifest needs yet. A lease of a repository lets its clients read and use the blob meanwhile;
 * each upload and each mount has one of its own, so that a manifest that uses the blob and goes again takes only one away.
 */
export class Leases {
  readonly #db: Kysely<Schema>
  readonly #now: () => number

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /** Makes a blob that is there readable in a repository, or a lease last longer. To be called in a transaction. */
  async grant(digest: Digest, holder: string, repository: string, leaseFor: number): Promise<void> {
    const expires_at = this.#now() + leaseFor
    await this.#db
      .insertInto('leases')
      .values({ digest, holder, repository, expires_at, granted_at: this.#now() })
      .onConflict((is) => is.columns(['digest', 'holder']).doUpdateSet({ repository, expires_at }))
      .execute()
  }

  /** Somebody is at work in a repository: what it has leased within a day lasts as long again. */
  async prolong(repository: string, leaseFor: number): Promise<void> {
    const now = this.#now()
    await this.#db
      .updateTable('leases')
      .set({ expires_at: now + leaseFor })
      .where('repository', '=', repository)
      .where('expires_at', '>', now)
      .where('granted_at', '>', now - prolongedFor)
      .execute()
  }

  /** When the lease of a holder ends, null when it has none. */
  async end(digest: Digest, holder: string): Promise<number | null> {
    const row = await this.#db
      .selectFrom('leases')
      .select('expires_at')
      .where('digest', '=', digest)
      .where('holder', '=', holder)
      .executeTakeFirst()
    return row?.expires_at ?? null
  }

  /** A client that may push has asked for a blob and was told that it is here. One lease serves all who ask. */
  async promise(digest: Digest, repository: string, leaseFor: number): Promise<void> {
    await this.grant(digest, promiseOf(repository), repository, leaseFor)
  }

  /** When the promise of a blob ends, null when there is none. */
  async promisedUntil(digest: Digest, repository: string): Promise<number | null> {
    return await this.end(digest, promiseOf(repository))
  }

  /** What was promised has been used by a manifest that was there before. */
  async keepPromises(repository: string, digests: readonly Digest[]): Promise<void> {
    for (const some of handfuls(digests)) await this.#removePromises(repository, some)
  }

  /** A new manifest needs these now: of each one lease of the repository ends, that with the least time left. */
  async use(repository: string, digests: readonly Digest[]): Promise<void> {
    for (const some of handfuls(digests)) {
      const rows = await this.#db
        .selectFrom('leases')
        .select(['digest', 'holder'])
        .where('repository', '=', repository)
        .where('digest', 'in', some)
        .orderBy('expires_at', 'desc')
        .execute()
      // Of several rows of a digest the last one stands, which is the first to end.
      const first = [...new Map(rows.map(({ digest, holder }) => [digest, holder]))]
      const promise = promiseOf(repository)
      const promised = first.flatMap(([digest, holder]) => (holder === promise ? [digest] : []))
      const own = first.flatMap(([, holder]) => (holder === promise ? [] : [holder]))
      if (promised.length > 0) await this.#removePromises(repository, promised)
      // Such a holder has one lease alone.
      if (own.length > 0) {
        await this.#db.deleteFrom('leases').where('holder', 'in', own).execute()
      }
    }
  }

  /** Ends every lease that a repository has on a blob; tells whether there was one. */
  async endAll(repository: string, digest: Digest): Promise<boolean> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('leases')
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .executeTakeFirst()
    return numDeletedRows > 0n
  }

  /** Removes those that are over. @returns what they kept */
  async prune(): Promise<readonly Digest[]> {
    const rows = await this.#db
      .deleteFrom('leases')
      .where('expires_at', '<=', this.#now())
      .returning('digest')
      .execute()
    return [...new Set(rows.map((row) => parseDigest(row.digest)))]
  }

  async #removePromises(repository: string, digests: readonly string[]): Promise<void> {
    await this.#db
      .deleteFrom('leases')
      .where('holder', '=', promiseOf(repository))
      .where('digest', 'in', digests)
      .execute()
  }
}

function promiseOf(repository: string): string {
  return `promised to ${repository}`
}
