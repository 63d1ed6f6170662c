import type { Kysely } from 'kysely'
import { z } from 'zod'
import { parseDigest, type Digest } from '../image/digest.ts'
import type { Manifest } from './manifests.ts'
import type { Schema } from './schema.ts'

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
    const items = await Promise.all(page.map(({ digest }) => this.#read(query.repository, digest)))
    return { items: items.filter((item) => item !== null), isMore: page.length < found.length }
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

  async #read(repository: string, digest: string): Promise<Referrer | null> {
    const row = await this.#db
      .selectFrom('manifests')
      .select(['media_type', 'size', 'artifact_type', 'annotations'])
      .where('repository', '=', repository)
      .where('digest', '=', digest)
      .executeTakeFirst()
    if (!row) return null
    return {
      digest: parseDigest(digest),
      mediaType: row.media_type,
      size: row.size,
      artifactType: row.artifact_type ?? '',
      annotations:
        row.annotations === null ? null : annotationsSchema.parse(JSON.parse(row.annotations)),
    }
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
