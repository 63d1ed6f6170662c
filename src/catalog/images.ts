import type { Kysely } from 'kysely'
import { Bug } from '../errors.ts'
import type { DataSource } from '../image/data-source.ts'
import type { Digest } from '../image/digest.ts'
import type { Format } from '../image/format.ts'
import {
  assertTransition,
  type Phase,
  type ReadyReason,
  type SourceReason,
} from '../image/phase.ts'
import type { Stored } from '../image/stored.ts'
import type { Events } from './events.ts'
import { fromRow } from './image-row.ts'
import type { Notepad } from './notepad.ts'
import type { Schema } from './schema.ts'

/** An image as the catalog knows it. Times are milliseconds since 1970. */
export type Image = {
  readonly uid: string
  readonly name: string
  readonly generation: number
  readonly createdAt: number
  readonly ownerUid: string | null
  /** Without its secrets. */
  readonly dataSource: DataSource
  readonly secrets: Uint8Array | null
  /** Of the URL of an HTTP source, null without one. */
  readonly sealedQuery: Uint8Array | null
  readonly hadSecrets: boolean
  /** The same for the same URL; null for what is not fetched by URL. */
  readonly urlKey: string | null
  readonly attempt: number
  readonly phase: Phase
  readonly ready: Standing<ReadyReason>
  readonly source: Standing<SourceReason>
  readonly retries: number
  readonly nextRetryAt: number | null
  readonly stored: Stored | null
}

/** Why a condition is as it is. */
export type Standing<Reason> = {
  readonly reason: Reason
  readonly message: string
  readonly since: number
}

export type NewImage = Pick<
  Image,
  'uid' | 'name' | 'ownerUid' | 'dataSource' | 'secrets' | 'phase'
> & {
  readonly ready: Told<ReadyReason>
  readonly source: Told<SourceReason>
  readonly urlKey?: string | null
  readonly sealedQuery?: Uint8Array | null
}

type Told<Reason> = { readonly reason: Reason; readonly message: string }

/** One step of an image's life. What is not given stays as it was. */
export type Change = {
  readonly phase: Phase
  readonly ready: Told<ReadyReason>
  readonly source?: Told<SourceReason>
  readonly retries?: number
  readonly nextRetryAt?: number | null
  readonly stored?: Stored
  readonly attempt?: number
  readonly secrets?: null
  /** When it happened, in milliseconds since 1970; now, if that is not told. */
  readonly at?: number
}

export type Filter = {
  readonly limit: number
  /** Names after this one. */
  readonly after: string | null
  readonly phase: Phase | null
  readonly format: Format | null
  readonly cdrom: boolean | null
}

/** Who hears of what is done to images. */
export type ImagesTold = {
  /** There were secrets that are not to be found anywhere once this is committed. */
  readonly erased: () => void
  readonly notepad: Notepad | null
}

export class Images {
  readonly #db: Kysely<Schema>
  readonly #events: Events
  readonly #now: () => number
  readonly #told: ImagesTold

  constructor(db: Kysely<Schema>, events: Events, now: () => number, told: ImagesTold) {
    this.#db = db
    this.#events = events
    this.#now = now
    this.#told = told
  }

  async add(image: NewImage): Promise<Image> {
    const now = this.#now()
    await this.#db
      .insertInto('images')
      .values({
        uid: image.uid,
        name: image.name,
        generation: 1,
        created_at: now,
        owner_uid: image.ownerUid,
        data_source: JSON.stringify(image.dataSource),
        refers_to: image.dataSource.objectRef?.name ?? null,
        secrets: image.secrets,
        sealed_query: image.sealedQuery ?? null,
        had_secrets: image.secrets === null ? 0 : 1,
        url_key: image.urlKey ?? null,
        attempt: 1,
        phase: image.phase,
        ...readyColumns(image.ready, now),
        ...sourceColumns(image.source, now),
        retries: 0,
        next_retry_at: null,
        stored: null,
        format: null,
        manifest_digest: null,
        source_sha256: null,
      })
      .execute()
    await this.#events.append('image', image)
    const added = await this.#mustHave(image.uid)
    this.#told.notepad?.image(null, added)
    return added
  }

  async byName(name: string): Promise<Image | null> {
    const row = await this.#db
      .selectFrom('images')
      .selectAll()
      .where('name', '=', name)
      .executeTakeFirst()
    return row ? fromRow(row) : null
  }

  async byUid(uid: string): Promise<Image | null> {
    const row = await this.#db
      .selectFrom('images')
      .selectAll()
      .where('uid', '=', uid)
      .executeTakeFirst()
    return row ? fromRow(row) : null
  }

  /** By name. */
  async list(filter: Filter): Promise<readonly Image[]> {
    let query = this.#db.selectFrom('images').selectAll().orderBy('name').limit(filter.limit)
    if (filter.after !== null) query = query.where('name', '>', filter.after)
    if (filter.phase) query = query.where('phase', '=', filter.phase)
    if (filter.format) query = query.where('format', '=', filter.format)
    if (filter.cdrom === true) query = query.where('format', '=', 'iso')
    if (filter.cdrom === false) query = query.where('format', '!=', 'iso')
    return (await query.execute()).map(fromRow)
  }

  /** Names of the images in a phase, for the few that a restart has to look at. */
  async inPhase(phase: Phase): Promise<readonly Image[]> {
    const rows = await this.#db
      .selectFrom('images')
      .selectAll()
      .where('phase', '=', phase)
      .orderBy('name')
      .execute()
    return rows.map(fromRow)
  }

  /** Those that tell when their next attempt begins. */
  async waitingToRetry(): Promise<readonly Image[]> {
    const rows = this.#db.selectFrom('images').selectAll().where('next_retry_at', 'is not', null)
    return (await rows.execute()).map(fromRow)
  }

  /** Those that are Ready and came from a URL, the newest first. */
  async readyFrom(urlKey: string, limit: number): Promise<readonly Image[]> {
    return await this.#ready('url_key', urlKey, limit)
  }

  /** Those that are Ready and whose source had these bytes, the newest first. */
  async readyOf(sourceSha256: Digest, limit: number): Promise<readonly Image[]> {
    return await this.#ready('source_sha256', sourceSha256, limit)
  }

  async #ready(column: 'url_key' | 'source_sha256', value: string, limit: number) {
    const rows = await this.#db
      .selectFrom('images')
      .selectAll()
      .where(column, '=', value)
      .where('phase', '=', 'Ready')
      .orderBy('created_at', 'desc')
      .orderBy('uid')
      .limit(limit)
      .execute()
    return rows.map(fromRow)
  }

  /**
   * The one way from one phase to another.
   * @returns the image after the step, null when it is not there any more or is being deleted
   * @throws Bug for a step that no image may take
   */
  async change(uid: string, change: Change): Promise<Image | null> {
    const before = await this.byUid(uid)
    if (!before || isLate(before, change)) return null
    assertTransition(before.phase, change.phase)
    await this.#db
      .updateTable('images')
      .set(columnsOf(before, change, change.at ?? this.#now()))
      .where('uid', '=', uid)
      .execute()
    await this.#events.append('image', before)
    if (before.secrets && change.secrets === null) this.#told.erased()
    const after = await this.#mustHave(uid)
    this.#told.notepad?.image(before, after)
    return after
  }

  async remove(image: Pick<Image, 'uid' | 'name'>): Promise<void> {
    const { notepad } = this.#told
    const before = notepad && (await this.byUid(image.uid))
    if (before) notepad?.image(before, null)
    await this.#db.deleteFrom('images').where('uid', '=', image.uid).execute()
    await this.#events.append('deleted', image)
  }

  async #mustHave(uid: string): Promise<Image> {
    const image = await this.byUid(uid)
    if (!image) throw new Bug(`the image ${uid} vanished within one transaction`)
    return image
  }
}

/** Whatever ends while its image is being deleted ends for nothing; that is no mistake. */
function isLate({ phase }: Image, change: Change): boolean {
  return phase === 'Terminating' && change.phase !== 'Terminating'
}

function columnsOf(before: Image, change: Change, now: number) {
  const { ready, source, retries, nextRetryAt, stored, attempt, secrets } = change
  return {
    phase: change.phase,
    ...readyColumns(ready, sinceWhen(before.ready, ready, before.phase === change.phase, now)),
    ...(source && sourceColumns(source, sinceWhen(before.source, source, true, now))),
    ...(retries !== undefined && { retries }),
    ...(nextRetryAt !== undefined && { next_retry_at: nextRetryAt }),
    ...(stored && storedColumns(stored)),
    ...(attempt !== undefined && { attempt }),
    ...(secrets === null && { secrets }),
  }
}

/** A condition's time is that of its last change of status or reason, not of its message. */
function sinceWhen<Reason>(
  before: Standing<Reason>,
  after: Told<Reason>,
  samePhase: boolean,
  now: number,
): number {
  return samePhase && before.reason === after.reason ? before.since : now
}

const readyColumns = ({ reason, message }: Told<ReadyReason>, since: number) => ({
  ready_reason: reason,
  ready_message: message,
  ready_since: since,
})

const sourceColumns = ({ reason, message }: Told<SourceReason>, since: number) => ({
  source_reason: reason,
  source_message: message,
  source_since: since,
})

const storedColumns = (stored: Stored) => ({
  stored: JSON.stringify(stored),
  format: stored.format,
  manifest_digest: stored.manifest.digest,
  source_sha256: stored.source.sha256,
})
