import type { Kysely, Selectable } from 'kysely'
import { jobKinds, type JobKind, type JobTable, type Schema } from './schema.ts'

/** Work that goes on until it is done, in whichever process holds its lease. */
export type Job = {
  readonly imageUid: string
  readonly kind: JobKind
  readonly runAfter: number
  readonly retryUntil: number | null
  /** Tenths of a per cent. */
  readonly progress: number
  /** Of the source whose bytes are staged; null when none was told. */
  readonly version: string | null
  /** Bytes of that source, null when it did not tell. */
  readonly size: number | null
  /** An image of the same bytes, which whoever asked for this one may read. */
  readonly knownUid: string | null
}

export type StagedBytes = { readonly imageUid: string; readonly bytes: number }

export type NewJob = {
  readonly kind?: JobKind
  /** The host that the bytes come from; empty when none do. */
  readonly origin?: string
  /** An image of the same bytes, which whoever asks may read. */
  readonly knownUid?: string | null
}

/** Which job a worker takes. */
export type Wish = {
  readonly kinds: readonly JobKind[]
  /** One of an origin that has the fewest running, or just the one that has been due for longest. */
  readonly order: 'fair' | 'oldest'
  /** Images whose jobs run here, whatever their leases say: a process that stood still may find them over. */
  readonly except: readonly string[]
}

export class Jobs {
  readonly #db: Kysely<Schema>
  readonly #now: () => number

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db
    this.#now = now
  }

  async add(imageUid: string, { kind = 'import', origin = '', knownUid = null }: NewJob = {}) {
    const now = this.#now()
    await this.#db
      .insertInto('jobs')
      .values({
        image_uid: imageUid,
        kind,
        created_at: now,
        run_after: now,
        retry_until: null,
        owner: null,
        lease_until: null,
        progress: 0,
        version: null,
        size: null,
        staged: 0,
        origin,
        known_uid: knownUid,
      })
      .execute()
  }

  /** Takes a job whose turn has come and whose worker, if it had one, is dead. */
  async claim(owner: string, leaseFor: number, wish: Partial<Wish> = {}): Promise<Job | null> {
    const now = this.#now()
    const row = await this.#db
      .updateTable('jobs')
      .set({ owner, lease_until: now + leaseFor })
      .where('image_uid', '=', this.#next(now, wish))
      .returningAll()
      .executeTakeFirst()
    return row ? fromRow(row) : null
  }

  /** Among jobs of the same rank the one that became due first. */
  #next(now: number, { kinds = jobKinds, order = 'fair', except = [] }: Partial<Wish>) {
    let free = this.#db
      .selectFrom('jobs')
      .leftJoin(this.#shares(now), 'share.origin', 'jobs.origin')
      .select('jobs.image_uid')
      .where('kind', 'in', kinds)
      .where('run_after', '<=', now)
      .where((is) => is.or([is('owner', 'is', null), is('lease_until', '<', now)]))
      .limit(1)
    if (except.length > 0) free = free.where('image_uid', 'not in', except)
    if (order === 'fair') free = free.orderBy((is) => is.fn.coalesce('share.running', is.lit(0)))
    return free.orderBy('run_after').orderBy('created_at').orderBy('image_uid')
  }

  /** How many jobs of an origin run, in whichever process. */
  #shares(now: number) {
    return this.#db
      .selectFrom('jobs')
      .select((is) => ['origin', is.fn.countAll<number>().as('running')])
      .where('lease_until', '>=', now)
      .groupBy('origin')
      .as('share')
  }

  /** Prolongs a lease; false when the job is another's or gone, and its work has to stop. */
  async beat(imageUid: string, owner: string, leaseFor: number, progress: number) {
    const { numUpdatedRows } = await this.#db
      .updateTable('jobs')
      .set({ lease_until: this.#now() + leaseFor, progress })
      .where('image_uid', '=', imageUid)
      .where('owner', '=', owner)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  }

  /** The source from which bytes are being staged from now on. */
  async note(imageUid: string, source: Pick<Job, 'version' | 'size'>): Promise<void> {
    const { version, size } = source
    await this.#db
      .updateTable('jobs')
      .set({ version, size })
      .where('image_uid', '=', imageUid)
      .execute()
  }

  /** What is here of a source's bytes while no attempt runs. */
  async measure(imageUid: string, staged: number): Promise<void> {
    await this.#db.updateTable('jobs').set({ staged }).where('image_uid', '=', imageUid).execute()
  }

  /** Bytes that are staged of sources, by image; where there are none, it is not listed. */
  async staged(): Promise<readonly StagedBytes[]> {
    return await this.#db
      .selectFrom('jobs')
      .select(['image_uid as imageUid', 'staged as bytes'])
      .where('staged', '>', 0)
      .execute()
  }

  /** Bytes of an image's source, null when nobody has told or it has no job. */
  async sourceSize(imageUid: string): Promise<number | null> {
    const row = await this.#db
      .selectFrom('jobs')
      .select('size')
      .where('image_uid', '=', imageUid)
      .executeTakeFirst()
    return row?.size ?? null
  }

  /** After which time no further attempt is begun, null while none has failed. */
  async retryUntil(imageUid: string): Promise<number | null> {
    const row = await this.#db
      .selectFrom('jobs')
      .select('retry_until')
      .where('image_uid', '=', imageUid)
      .executeTakeFirst()
    return row?.retry_until ?? null
  }

  async all(): Promise<readonly string[]> {
    const rows = await this.#db.selectFrom('jobs').select('image_uid').execute()
    return rows.map((row) => row.image_uid)
  }

  /** Gives a job back, to be taken again after a while. */
  async postpone(
    imageUid: string,
    { runAfter, retryUntil, progress }: Pick<Job, 'runAfter' | 'retryUntil' | 'progress'>,
  ): Promise<void> {
    await this.#db
      .updateTable('jobs')
      .set({
        owner: null,
        lease_until: null,
        run_after: runAfter,
        retry_until: retryUntil,
        progress,
      })
      .where('image_uid', '=', imageUid)
      .execute()
  }

  /** Gives a job back as it is: its process stops. */
  async release(imageUid: string, progress: number): Promise<void> {
    await this.#db
      .updateTable('jobs')
      .set({ owner: null, lease_until: null, progress })
      .where('image_uid', '=', imageUid)
      .execute()
  }

  /** For a start after a crash: whoever holds the data folder knows that all earlier owners are dead. */
  async releaseAll(): Promise<void> {
    await this.#db.updateTable('jobs').set({ owner: null, lease_until: null }).execute()
  }

  /** Tenths of a per cent that were shown of an image whose job waits; null when it has none. */
  async progress(imageUid: string): Promise<number | null> {
    const row = await this.#db
      .selectFrom('jobs')
      .select('progress')
      .where('image_uid', '=', imageUid)
      .executeTakeFirst()
    return row?.progress ?? null
  }

  async remove(imageUid: string): Promise<void> {
    await this.#db.deleteFrom('jobs').where('image_uid', '=', imageUid).execute()
  }

  /** How many wait for a slot, and how many for the time of their next attempt. */
  async waiting(): Promise<{ readonly due: number; readonly later: number }> {
    const now = this.#now()
    const row = await this.#db
      .selectFrom('jobs')
      .select((is) => [
        is.fn.countAll<number>().filterWhere('run_after', '<=', now).as('due'),
        is.fn.countAll<number>().filterWhere('run_after', '>', now).as('later'),
      ])
      .where('owner', 'is', null)
      .executeTakeFirst()
    return { due: row?.due ?? 0, later: row?.later ?? 0 }
  }

  /** When the next job may be taken; null when none waits. */
  async nextTurn({ kinds = jobKinds, except = [] }: Partial<Wish> = {}): Promise<number | null> {
    let waiting = this.#db
      .selectFrom('jobs')
      .select((is) => is.fn.min('run_after').as('turn'))
      .where('owner', 'is', null)
      .where('kind', 'in', kinds)
    if (except.length > 0) waiting = waiting.where('image_uid', 'not in', except)
    const row = await waiting.executeTakeFirst()
    return row?.turn ?? null
  }

  /** Lets images that refer to the one of that name begin their next attempt at once; what is due keeps its turn. */
  async hurryReferring(name: string): Promise<void> {
    const now = this.#now()
    await this.#db
      .updateTable('jobs')
      .set({ run_after: now })
      .where('owner', 'is', null)
      .where('run_after', '>', now)
      .where('image_uid', 'in', (from) =>
        from.selectFrom('images').select('uid').where('refers_to', '=', name),
      )
      .execute()
  }
}

function fromRow(row: Selectable<JobTable>): Job {
  return {
    imageUid: row.image_uid,
    kind: row.kind,
    runAfter: row.run_after,
    retryUntil: row.retry_until,
    progress: row.progress,
    version: row.version,
    size: row.size,
    knownUid: row.known_uid,
  }
}
