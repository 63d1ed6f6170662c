import type { Kysely, Selectable } from 'kysely'
import { z } from 'zod'
import type { MaintenanceKind, MaintenanceState, MaintenanceTable, Schema } from './schema.ts'

/** One run of a collection or a scrub. Times are milliseconds since 1970. */
export type MaintenanceRun = {
  readonly id: string
  readonly kind: MaintenanceKind
  readonly state: MaintenanceState
  readonly options: Facts
  /** Counters of the run, and where it goes on. */
  readonly progress: Facts
  /** Why it failed; empty when it has not. */
  readonly message: string
  readonly startedAt: number
  readonly finishedAt: number | null
}

export type Facts = { readonly [name: string]: string | number | boolean | null }

/** Of each kind so many are remembered. */
const kept = 50

export class MaintenanceRuns {
  readonly #db: Kysely<Schema>
  readonly #now: () => number

  constructor(db: Kysely<Schema>, now: () => number) {
    this.#db = db
    this.#now = now
  }

  /** Begins a run, and forgets the oldest of its kind. */
  async add(run: Pick<MaintenanceRun, 'id' | 'kind' | 'options'>): Promise<MaintenanceRun> {
    const { id, kind, options } = run
    const row = await this.#db
      .insertInto('maintenance_runs')
      .values({
        id,
        kind,
        state: 'running',
        options: JSON.stringify(options),
        progress: '{}',
        message: '',
        started_at: this.#now(),
        finished_at: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow()
    await this.#forgetOldest(kind)
    return fromRow(row)
  }

  async byId(id: string): Promise<MaintenanceRun | null> {
    const row = await this.#db
      .selectFrom('maintenance_runs')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst()
    return row ? fromRow(row) : null
  }

  /** The newest of a kind, those in one state if that is asked for. */
  async newest(kind: MaintenanceKind, state?: MaintenanceState): Promise<MaintenanceRun | null> {
    let query = this.#db
      .selectFrom('maintenance_runs')
      .selectAll()
      .where('kind', '=', kind)
      .orderBy('started_at', 'desc')
      .orderBy('id')
      .limit(1)
    if (state) query = query.where('state', '=', state)
    const row = await query.executeTakeFirst()
    return row ? fromRow(row) : null
  }

  /** All of them, the newest first. */
  async list(limit: number): Promise<readonly MaintenanceRun[]> {
    const rows = await this.#db
      .selectFrom('maintenance_runs')
      .selectAll()
      .orderBy('started_at', 'desc')
      .orderBy('id')
      .limit(limit)
      .execute()
    return rows.map(fromRow)
  }

  async note(id: string, progress: Facts): Promise<void> {
    await this.#db
      .updateTable('maintenance_runs')
      .set({ progress: JSON.stringify(progress) })
      .where('id', '=', id)
      .execute()
  }

  /** @param message why it failed; empty when it has not */
  async end(id: string, state: 'done' | 'failed' | 'interrupted', message = ''): Promise<void> {
    await this.#db
      .updateTable('maintenance_runs')
      .set({ state, message, finished_at: this.#now() })
      .where('id', '=', id)
      .execute()
  }

  /** What was interrupted runs again. */
  async goOn(id: string): Promise<void> {
    await this.#db
      .updateTable('maintenance_runs')
      .set({ state: 'running', message: '', finished_at: null })
      .where('id', '=', id)
      .execute()
  }

  /** For a start: whoever holds the data folder knows that nothing runs. */
  async interruptAll(): Promise<void> {
    await this.#db
      .updateTable('maintenance_runs')
      .set({ state: 'interrupted', finished_at: this.#now() })
      .where('state', '=', 'running')
      .execute()
  }

  async #forgetOldest(kind: MaintenanceKind): Promise<void> {
    await this.#db
      .deleteFrom('maintenance_runs')
      .where('kind', '=', kind)
      .where('id', 'not in', (from) =>
        from
          .selectFrom('maintenance_runs')
          .select('id')
          .where('kind', '=', kind)
          .orderBy('started_at', 'desc')
          .limit(kept),
      )
      .execute()
  }
}

const facts = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])))

function fromRow(row: Selectable<MaintenanceTable>): MaintenanceRun {
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    options: facts.parse(row.options),
    progress: facts.parse(row.progress),
    message: row.message,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  }
}
