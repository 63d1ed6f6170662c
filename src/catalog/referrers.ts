import type { Kysely, Selectable } from 'kysely'
import { z } from 'zod'
import { parseDigest, type Digest } from '../image/digest.ts'
import { handfuls } from './handfuls.ts'
import type { Manifest } from './manifests.ts'
import type { ManifestTable, Schema } from './schema.ts'

export type Referrer = Manifest & {
  readonly artifactType: string
  readonly annotations: { readonly [name: string]: string } | null
}

export type ReferrersQuery = {
  readonly repository: string
  readonly subject: Digest
  /** Null for any. */
  readonly artifactType: string | null
  /** Digests behind this one; empty for all. */
  readonly after: string
  readonly limit: number
  /** Bytes of annotations in one answer; a single referrer may have more. */
  readonly mostBytes: number
}

const annotationsSchema = z.record(z.string(), z.string())

/** Manifests that name another one as their subject, whether that one is there or not. */
export class Referrers {
  readonly #db: Kysely<Schema>

  constructor(db: Kysely<Schema>) {
    this.#db = db
  }

  /** By digest. `isMore` tells whether further ones follow. */
  async list(query: ReferrersQuery) {
    const found = await this.#found(query)
    const page = fitting(found.slice(0, query.limit), query.mostBytes)
    const items = await this.#read(
      query.repository,
      page.map(({ digest }) => digest),
    )
    return { items, isMore: page.length < found.length }
  }

  async #found({ repository, subject, artifactType, after, limit }: ReferrersQuery) {
    let query = this.#db
      .selectFrom('manifests')
      .select((is) => [
        'digest' as const,
        is.fn<number | null>('length', ['annotations']).as('bytes'),
      ])
      .where('repository', '=', repository)
      .where('subject', '=', subject)
      .where('digest', '>', after)
      .orderBy('digest')
      .limit(limit + 1)
    if (artifactType !== null) query = query.where('artifact_type', '=', artifactType)
    return await query.execute()
  }

  async #read(repository: string, digests: readonly string[]): Promise<readonly Referrer[]> {
    const items: Referrer[] = []
    for (const some of handfuls(digests)) {
      const rows = await this.#db
        .selectFrom('manifests')
        .select(['digest', 'media_type', 'size', 'artifact_type', 'annotations'])
        .where('repository', '=', repository)
        .where('digest', 'in', some)
        .orderBy('digest')
        .execute()
      items.push(...rows.map(fromRow))
    }
    return items
  }
}

type Row = Pick<
  Selectable<ManifestTable>,
  'digest' | 'media_type' | 'size' | 'artifact_type' | 'annotations'
>

function fromRow(row: Row): Referrer {
  const { annotations } = row
  return {
    digest: parseDigest(row.digest),
    mediaType: row.media_type,
    size: row.size,
    artifactType: row.artifact_type ?? '',
    annotations: annotations === null ? null : annotationsSchema.parse(JSON.parse(annotations)),
  }
}

/** As many as their annotations leave room for, at least one. */
function fitting<Found extends { readonly bytes: number | null }>(
  found: readonly Found[],
  mostBytes: number,
): readonly Found[] {
  let sum = 0
  const end = found.findIndex(({ bytes }, index) => {
    sum += bytes ?? 0
    return index > 0 && sum > mostBytes
  })
  return end === -1 ? found : found.slice(0, end)
}
