import type { Selectable } from 'kysely'
import { z } from 'zod'
import { dataSourceSchema } from '../image/data-source.ts'
import { storedSchema } from '../image/stored.ts'
import type { Image } from './images.ts'
import type { ImageTable } from './schema.ts'

const json = z.string().transform((text): unknown => JSON.parse(text))

export function fromRow(row: Selectable<ImageTable>): Image {
  return {
    uid: row.uid,
    name: row.name,
    generation: row.generation,
    createdAt: row.created_at,
    ownerUid: row.owner_uid,
    dataSource: json.pipe(dataSourceSchema).parse(row.data_source),
    secrets: row.secrets,
    sealedQuery: row.sealed_query,
    hadSecrets: row.had_secrets === 1,
    urlKey: row.url_key,
    attempt: row.attempt,
    phase: row.phase,
    ready: { reason: row.ready_reason, message: row.ready_message, since: row.ready_since },
    source: { reason: row.source_reason, message: row.source_message, since: row.source_since },
    retries: row.retries,
    nextRetryAt: row.next_retry_at,
    stored: row.stored === null ? null : json.pipe(storedSchema).parse(row.stored),
  }
}
