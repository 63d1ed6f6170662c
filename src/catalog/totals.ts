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

/** A blob, how many repositories need it, and the first of their names. */
export type SharedBlob = {
  readonly digest: string
  readonly size: number
  readonly holders: number
  readonly repositories: readonly string[]
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

  /**
   * So many blobs behind `after`, in the order of digests, with who needs them.
   * @param most names of one blob
   */
  async shared(after: string, limit: number, most: number): Promise<readonly SharedBlob[]> {
    const page = sql`select digest, size from blobs where digest > ${after} order by digest limit ${limit}`
    const { rows } = await sql<SharedRow>`
      select page.digest as digest, page.size as size, needed.repository as repository, needed.holders as holders
      from (${page}) as page left join (
        select digest, repository, count(*) over (partition by digest) as holders,
          row_number() over (partition by digest order by repository) as place
        from (
          select distinct digest, repository from blob_references
          where digest in (select digest from (${page}) as digests)
        ) as pairs
      ) as needed on needed.digest = page.digest and needed.place <= ${most}
      order by page.digest, needed.repository`.execute(this.#db)
    return gathered(rows)
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

type SharedRow = {
  readonly digest: string
  readonly size: number
  readonly repository: string | null
  readonly holders: number | null
}

/** Rows of one blob follow each other. */
function gathered(rows: readonly SharedRow[]): readonly SharedBlob[] {
  const found = new Map<string, SharedBlob & { readonly repositories: string[] }>()
  for (const { digest, size, repository, holders } of rows) {
    const blob = found.get(digest) ?? { digest, size, holders: holders ?? 0, repositories: [] }
    if (repository !== null) blob.repositories.push(repository)
    found.set(digest, blob)
  }
  return [...found.values()]
}
