import type { ExpressionBuilder, Kysely, NotNull } from 'kysely'
import type { Digest } from '../image/digest.ts'
import { handfuls } from './handfuls.ts'
import type { Schema } from './schema.ts'

/**
 * Which blobs may be read through which repository: those that one of its manifests needs, and those that were uploaded
 * or mounted there as long as their lease runs.
 */
export class Holdings {
  readonly #db: Kysely<Schema>
  readonly #now: () => number

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /** Whether the repository holds a blob, in whatever state its bytes are. */
  async holds(repository: string, digest: Digest): Promise<boolean> {
    const row = await this.#db
      .selectFrom('blobs')
      .select('digest')
      .where('digest', '=', digest)
      .where('state', '=', 'present')
      .where((is) => isHeldBy(is, repository, this.#now()))
      .executeTakeFirst()
    return row !== undefined
  }

  /** The size of a blob, null when the repository does not hold it or its bytes are damaged. */
  async blobSize(repository: string, digest: Digest): Promise<number | null> {
    return (await this.blobSizes(repository, [digest])).get(digest) ?? null
  }

  /** Sizes of those of the digests that the repository holds, undamaged. */
  async blobSizes(repository: string, digests: readonly Digest[]): Promise<Map<string, number>> {
    const sizes = new Map<string, number>()
    for (const some of handfuls(digests)) {
      const rows = await this.#db
        .selectFrom('blobs')
        .select(['digest', 'size'])
        .where('digest', 'in', some)
        .where('state', '=', 'present')
        .where('damage', 'is', null)
        .where((is) => isHeldBy(is, repository, this.#now()))
        .execute()
      for (const { digest, size } of rows) sizes.set(digest, size)
    }
    return sizes
  }

  /** Repositories that hold a blob, at most `limit` of them. */
  async repositoriesWith(digest: Digest, limit: number): Promise<readonly string[]> {
    const leased = this.#db
      .selectFrom('leases')
      .select('repository')
      .where('digest', '=', digest)
      .where('expires_at', '>', this.#now())
      .where('repository', 'is not', null)
      .$narrowType<{ repository: NotNull }>()
    const rows = await this.#db
      .selectFrom('blob_references')
      .select('repository')
      .where('digest', '=', digest)
      .union(leased)
      .limit(limit)
      .execute()
    return rows.map(({ repository }) => repository)
  }
}

function isHeldBy(is: ExpressionBuilder<Schema, 'blobs'>, repository: string, now: number) {
  const references = is
    .selectFrom('blob_references')
    .select('blob_references.digest')
    .whereRef('blob_references.digest', '=', 'blobs.digest')
    .where('blob_references.repository', '=', repository)
  const leases = is
    .selectFrom('leases')
    .select('leases.digest')
    .whereRef('leases.digest', '=', 'blobs.digest')
    .where('leases.repository', '=', repository)
    .where('leases.expires_at', '>', now)
  return is.or([is.exists(references), is.exists(leases)])
}
