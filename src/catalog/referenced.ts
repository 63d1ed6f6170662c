import type { ExpressionBuilder } from 'kysely'
import type { Schema } from './schema.ts'

/** A manifest needs the blob of the row. */
export function isReferenced(is: ExpressionBuilder<Schema, 'blobs'>) {
  const references = is
    .selectFrom('blob_references')
    .select('blob_references.digest')
    .whereRef('blob_references.digest', '=', 'blobs.digest')
  return is.exists(references)
}
