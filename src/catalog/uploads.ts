import type { Kysely, Selectable } from 'kysely'
import { z } from 'zod'
import { checksumSchema, type Checksums } from '../image/data-source.ts'
import type { StagedBytes } from './jobs.ts'
import type { Schema, UploadTable } from './schema.ts'

export type Upload = {
  readonly tokenHash: string
  readonly imageUid: string
  readonly attempt: number
  readonly state: UploadTable['state']
  readonly expiresAt: number | null
  /** Bytes in all, null while nobody has told. */
  readonly length: number | null
  /** Bytes that are here while none are arriving. */
  readonly offset: number
  /** Of the whole, as the client has told them. */
  readonly checksums: Checksums
}

type Known = Pick<Upload, 'length' | 'offset' | 'checksums'>

/** Doors for uploads. A door stays listed after its use, so that a late client is told what happened. */
export class Uploads {
  readonly #db: Kysely<Schema>

  constructor(db: Kysely<Schema>) {
    this.#db = db
  }

  async add(upload: Omit<Upload, keyof Known>): Promise<void> {
    await this.#db
      .insertInto('uploads')
      .values({
        token_hash: upload.tokenHash,
        image_uid: upload.imageUid,
        attempt: upload.attempt,
        state: upload.state,
        expires_at: upload.expiresAt,
        length: null,
        offset: 0,
        checksums: null,
      })
      .execute()
  }

  async byTokenHash(tokenHash: string): Promise<Upload | null> {
    const row = await this.#db
      .selectFrom('uploads')
      .selectAll()
      .where('token_hash', '=', tokenHash)
      .executeTakeFirst()
    return row ? fromRow(row) : null
  }

  /** The door of an image's present attempt. */
  async ofImage(imageUid: string, attempt: number): Promise<Upload | null> {
    const row = await this.#db
      .selectFrom('uploads')
      .selectAll()
      .where('image_uid', '=', imageUid)
      .where('attempt', '=', attempt)
      .executeTakeFirst()
    return row ? fromRow(row) : null
  }

  async change(tokenHash: string, state: Upload['state'], expiresAt: number | null): Promise<void> {
    await this.#db
      .updateTable('uploads')
      .set({ state, expires_at: expiresAt })
      .where('token_hash', '=', tokenHash)
      .execute()
  }

  /** What is known of its bytes. */
  async measure(tokenHash: string, { checksums, ...known }: Partial<Known>): Promise<void> {
    const told = checksums === undefined ? {} : { checksums: JSON.stringify(checksums) }
    await this.#db
      .updateTable('uploads')
      .set({ ...known, ...told })
      .where('token_hash', '=', tokenHash)
      .execute()
  }

  /** Those whose time is over. */
  async expired(now: number): Promise<readonly Upload[]> {
    const rows = await this.#db
      .selectFrom('uploads')
      .selectAll()
      .where('expires_at', '<=', now)
      .execute()
    return rows.map(fromRow)
  }

  /** Bytes that are here of uploads that have not ended, by image; where there are none, it is not listed. */
  async staged(): Promise<readonly StagedBytes[]> {
    return await this.#db
      .selectFrom('uploads')
      .select(['image_uid as imageUid', 'offset as bytes'])
      .where('state', 'in', ['receiving', 'interrupted'])
      .where('offset', '>', 0)
      .execute()
  }

  async inState(state: Upload['state']): Promise<readonly Upload[]> {
    const rows = await this.#db
      .selectFrom('uploads')
      .selectAll()
      .where('state', '=', state)
      .execute()
    return rows.map(fromRow)
  }

  /** When the next one expires, null when none will. */
  async nextEnd(): Promise<number | null> {
    const row = await this.#db
      .selectFrom('uploads')
      .select((is) => is.fn.min('expires_at').as('end'))
      .executeTakeFirst()
    return row?.end ?? null
  }

  async removeOf(imageUid: string): Promise<void> {
    await this.#db.deleteFrom('uploads').where('image_uid', '=', imageUid).execute()
  }
}

const checksumsText = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(checksumSchema)

function fromRow(row: Selectable<UploadTable>): Upload {
  return {
    tokenHash: row.token_hash,
    imageUid: row.image_uid,
    attempt: row.attempt,
    state: row.state,
    expiresAt: row.expires_at,
    length: row.length,
    offset: row.offset,
    checksums: checksumsText.parse(row.checksums ?? '{}'),
  }
}
