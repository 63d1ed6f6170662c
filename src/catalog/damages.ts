import type { ExpressionBuilder, Kysely } from 'kysely'
import { parseDigest, type Digest } from '../image/digest.ts'
import { handfuls } from './handfuls.ts'
import { isReferenced } from './referenced.ts'
import type { Schema } from './schema.ts'

/** A blob whose bytes are looked at. `damage` ends a sentence about it ("is missing"); null for a sound one. */
export type Examined = {
  readonly digest: Digest
  /** Bytes that it should have. */
  readonly size: number
  readonly damage: string | null
  readonly writes: number
}

/** What is told once the transaction is committed: repositories that have changed, and blobs that were mended. */
type Announced = { readonly repositories: Set<string>; readonly mended: Set<Digest> }

const columns = ['digest', 'size', 'damage', 'writes'] as const

/** Repositories of images begin so; the character behind the slash is the first that does not. */
const images = { from: 'cvi/', until: 'cvi0' }

/**
 * What is known to be wrong with blobs. Whatever looks at bytes does so outside of any transaction, so its verdict counts
 * only while the same bytes are there: each time some are put in their place, `writes` grows.
 */
export class Damages {
  readonly #db: Kysely<Schema>
  readonly #changes: Announced

  constructor(db: Kysely<Schema>, changes: Announced) {
    this.#db = db
    this.#changes = changes
  }

  /** Null when there is no such blob, or it is being deleted. */
  async byDigest(digest: Digest): Promise<Examined | null> {
    const row = await this.#present().where('digest', '=', digest).executeTakeFirst()
    return row ? { ...row, digest } : null
  }

  /** Those of the digests that there are. */
  async those(digests: readonly Digest[]): Promise<readonly Examined[]> {
    const found: Examined[] = []
    for (const some of handfuls(digests)) {
      const rows = await this.#present().where('digest', 'in', some).execute()
      found.push(...rows.map(fromRow))
    }
    return found
  }

  /** In the order of their digests, those after `after`. */
  async list(after: string, limit: number): Promise<readonly Examined[]> {
    return (await this.#following(after, limit).execute()).map(fromRow)
  }

  /** As `list`, of the damaged ones alone. */
  async damaged(after: string, limit: number): Promise<readonly Examined[]> {
    const rows = await this.#following(after, limit).where('damage', 'is not', null).execute()
    return rows.map(fromRow)
  }

  /** How many blobs there are, and their bytes. */
  async total(): Promise<{ readonly blobs: number; readonly bytes: number }> {
    const row = await this.#db
      .selectFrom('blobs')
      .select((is) => [
        is.fn.countAll<number>().as('blobs'),
        is.fn.sum<number | string | null>('size').as('bytes'),
      ])
      .where('state', '=', 'present')
      .executeTakeFirst()
    return { blobs: row?.blobs ?? 0, bytes: Number(row?.bytes ?? 0) }
  }

  /** What is wrong with those of the digests that cannot be relied on. */
  async faults(digests: readonly Digest[]): Promise<Map<string, string>> {
    const faults = new Map<string, string>(digests.map((digest) => [digest, 'is not here']))
    for (const { digest, damage } of await this.those([...new Set(digests)])) {
      if (damage === null) faults.delete(digest)
      else faults.set(digest, damage)
    }
    return faults
  }

  /**
   * Writes down what is wrong with a blob that somebody uses.
   * @returns false when its bytes are others by now, or nobody's
   */
  async tell({ digest, writes }: Examined, damage: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('blobs')
      .set({ damage })
      .where('digest', '=', digest)
      .where('state', '=', 'present')
      .where('writes', '=', writes)
      .where(isUsed)
      .executeTakeFirst()
    if (numUpdatedRows === 0n) return false
    await this.#announce(digest)
    return true
  }

  /** Its bytes were found to be sound. @returns false when it was not damaged */
  async mend({ digest, writes }: Examined): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('blobs')
      .set({ damage: null })
      .where('digest', '=', digest)
      .where('state', '=', 'present')
      .where('writes', '=', writes)
      .where('damage', 'is not', null)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  }

  /** Sound bytes have just been put in their place, whatever was there before; `gone` when nobody kept the blob. */
  async written(digest: Digest): Promise<'gone' | 'sound' | 'mended'> {
    const before = await this.byDigest(digest)
    if (!before) return 'gone'
    await this.#db
      .updateTable('blobs')
      .set({ damage: null, writes: before.writes + 1 })
      .where('digest', '=', digest)
      .execute()
    if (before.damage === null) return 'sound'
    this.#changes.mended.add(digest)
    return 'mended'
  }

  /** Names of images that are made of a blob, those after `after`. */
  async imagesOf(digest: Digest, after: string, limit: number): Promise<readonly string[]> {
    const rows = await this.#db
      .selectFrom('blob_references')
      .select('repository')
      .distinct()
      .where('digest', '=', digest)
      .where('repository', '>', images.from + after)
      .where('repository', '<', images.until)
      .orderBy('repository')
      .limit(limit)
      .execute()
    return rows.map(({ repository }) => repository.slice(images.from.length))
  }

  /** Where it is a manifest it may be at hand in memory. */
  async #announce(digest: Digest): Promise<void> {
    const rows = await this.#db
      .selectFrom('blob_references')
      .select('repository')
      .where('digest', '=', digest)
      .where('manifest', '=', digest)
      .execute()
    for (const { repository } of rows) this.#changes.repositories.add(repository)
  }

  #present() {
    return this.#db.selectFrom('blobs').select(columns).where('state', '=', 'present')
  }

  #following(after: string, limit: number) {
    return this.#present().where('digest', '>', after).orderBy('digest').limit(limit)
  }
}

function fromRow(row: Omit<Examined, 'digest'> & { readonly digest: string }): Examined {
  return { ...row, digest: parseDigest(row.digest) }
}

/** What is only announced has no bytes yet, and is not missing them. */
function isUsed(is: ExpressionBuilder<Schema, 'blobs'>) {
  const leases = is
    .selectFrom('leases')
    .select('leases.digest')
    .whereRef('leases.digest', '=', 'blobs.digest')
    .where('leases.repository', 'is not', null)
  return is.or([isReferenced(is), is.exists(leases)])
}
