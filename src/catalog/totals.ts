import { sql, type Kysely } from 'kysely'
import type { Phase } from '../image/phase.ts'
import type { Schema } from './schema.ts'

/** `logicalBytes` counts a blob once for each manifest that needs it. The next page begins behind `last`. */
export type BlobSums = {
  readonly count: number
  readonly bytes: number
  readonly logicalBytes: number
  readonly last: string | null
}

/** `count` is of repositories, `rows` of what they hold. The next page begins behind `last`. */
export type RepositorySums = {
  readonly count: number
  readonly rows: number
  readonly last: string | null
}

export type Counts = {
  readonly images: { readonly [phase in Phase]?: number }
  /** Those that wait for bytes or take them. */
  readonly uploads: number
  readonly pushes: number
}

/** How much there is of everything. */
export class Totals {
  readonly #db: Kysely<Schema>

  constructor(db: Kysely<Schema>) {
    this.#db = db
  }

  /** Sums over so many blobs behind `after`, in the order of digests. */
  async blobs(after: string, limit: number): Promise<BlobSums> {
    const { rows } = await sql<{
      count: number
      bytes: number | null
      logical: number | null
      last: string | null
    }>`
      select count(*) as count, sum(size) as bytes, sum(size * needed) as logical, max(digest) as last
      from (
        select digest, size, (
          select count(*) from blob_references where blob_references.digest = blobs.digest
        ) as needed
        from blobs where digest > ${after} order by digest limit ${limit}
      ) as page`.execute(this.#db)
    const { count = 0, bytes, logical, last } = rows[0] ?? {}
    return {
      count,
      bytes: bytes ?? 0,
      logicalBytes: logical ?? 0,
      last: count < limit ? null : (last ?? null),
    }
  }

  /** The manifests or the tags of so many repositories behind `after`, by name. */
  async repositories(
    of: 'manifests' | 'tags',
    after: string,
    limit: number,
  ): Promise<RepositorySums> {
    const { rows } = await sql<{ count: number; rows: number | null; last: string | null }>`
      select count(*) as count, sum(held) as rows, max(repository) as last
      from (
        select repository, count(*) as held from ${sql.table(of)}
        where repository > ${after} group by repository order by repository limit ${limit}
      ) as page`.execute(this.#db)
    const { count = 0, rows: held, last } = rows[0] ?? {}
    return { count, rows: held ?? 0, last: count < limit ? null : (last ?? null) }
  }

  async counts(): Promise<Counts> {
    return {
      images: await this.#images(),
      uploads: await this.#uploads(),
      pushes: await this.#pushes(),
    }
  }

  async #images(): Promise<Counts['images']> {
    const rows = await this.#db
      .selectFrom('images')
      .select('phase')
      .select((is) => is.fn.countAll<number>().as('count'))
      .groupBy('phase')
      .execute()
    return Object.fromEntries(rows.map(({ phase, count }) => [phase, count]))
  }

  async #pushes(): Promise<number> {
    const row = await this.#db
      .selectFrom('push_sessions')
      .select((is) => is.fn.countAll<number>().as('count'))
      .executeTakeFirst()
    return row?.count ?? 0
  }

  async #uploads(): Promise<number> {
    const row = await this.#db
      .selectFrom('uploads')
      .select((is) => is.fn.countAll<number>().as('count'))
      .where('state', 'in', ['waiting', 'receiving', 'interrupted'])
      .executeTakeFirst()
    return row?.count ?? 0
  }
}
