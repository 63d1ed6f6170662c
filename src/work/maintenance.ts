import { randomUUID } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import type { Facts, MaintenanceRun } from '../catalog/maintenance-runs.ts'
import type { MaintenanceKind, MaintenanceState } from '../catalog/schema.ts'
import { asFailure } from '../errors.ts'
import type { Log } from '../log.ts'
import { InTurn } from '../store/in-turn.ts'

/** What a task is given to do. */
export type Errand = {
  readonly options: Facts
  /** What an interrupted run had come to; empty for a new one. */
  readonly before: Facts
  /** Shows how far it has come; written down now and then, and at its end. */
  readonly report: (progress: Facts) => void
}

export type Task = (errand: Errand, signal: AbortSignal) => Promise<void>

export type MaintenanceOptions = {
  readonly catalog: Catalog
  readonly tasks: { readonly [kind in MaintenanceKind]: Task }
  readonly now: () => number
  readonly log: Log
  readonly onEnd?: (kind: MaintenanceKind, outcome: MaintenanceState) => void
}

/** How often progress is written down, in milliseconds. */
const noteEvery = 1000

type Running = {
  readonly run: MaintenanceRun
  readonly controller: AbortController
  progress: Facts
  done: Promise<void>
}

/** Runs of the collection and the scrub, one of each kind at a time. Their state can be read while they run and after. */
export class Maintenance {
  readonly #options: MaintenanceOptions
  readonly #running = new Map<MaintenanceKind, Running>()
  readonly #inTurn = new InTurn()
  /** Runs that have ended, which the catalog does not say yet: a full disk may refuse to take that down. */
  readonly #unwritten = new Map<string, MaintenanceRun>()
  #isClosing = false

  constructor(options: MaintenanceOptions) {
    this.#options = options
  }

  /** Begins a run; the one that runs already is answered instead of a second one. */
  async start(kind: MaintenanceKind, options: Facts = {}): Promise<MaintenanceRun> {
    return await this.#inTurn.run(kind, async () => {
      const present = this.#running.get(kind)
      if (present) return this.#live(present)
      await this.#writeDown()
      const run = await this.#options.catalog.transaction(({ maintenance }) =>
        maintenance.add({ id: randomUUID(), kind, options }),
      )
      return this.#begin(run)
    })
  }

  /** Takes up the newest run of a kind, if a stop or a crash has interrupted it. */
  async goOn(kind: MaintenanceKind): Promise<MaintenanceRun | null> {
    return await this.#inTurn.run(kind, async () => {
      await this.#writeDown()
      const run = await this.#options.catalog.read.maintenance.newest(kind)
      if (run?.state !== 'interrupted' || this.#running.has(kind)) return null
      await this.#options.catalog.transaction(({ maintenance }) => maintenance.goOn(run.id))
      return this.#begin({ ...run, state: 'running', finishedAt: null })
    })
  }

  async byId(id: string): Promise<MaintenanceRun | null> {
    const run = await this.#options.catalog.read.maintenance.byId(id)
    return run && this.#present(run)
  }

  async newest(kind: MaintenanceKind): Promise<MaintenanceRun | null> {
    const live = this.#running.get(kind)
    if (live) return this.#live(live)
    const run = await this.#options.catalog.read.maintenance.newest(kind)
    return run && this.#present(run)
  }

  /** All that are remembered of both kinds, the newest first. */
  async list(limit: number): Promise<readonly MaintenanceRun[]> {
    const runs = await this.#options.catalog.read.maintenance.list(limit)
    return runs.map((run) => this.#present(run))
  }

  /** Resolves when a run has ended, however that was. */
  async finished(kind: MaintenanceKind): Promise<void> {
    await this.#running.get(kind)?.done
  }

  /** What runs is interrupted, and may go on after the next start. */
  async stop(): Promise<void> {
    this.#isClosing = true
    const all = [...this.#running.values()]
    for (const { controller } of all) controller.abort(interrupted())
    await Promise.all(all.map(({ done }) => done))
  }

  #begin(run: MaintenanceRun): MaintenanceRun {
    const controller = new AbortController()
    const running: Running = { run, controller, progress: run.progress, done: Promise.resolve() }
    this.#running.set(run.kind, running)
    if (this.#isClosing) controller.abort(interrupted())
    running.done = this.#work(running)
    return run
  }

  async #work(running: Running): Promise<void> {
    const { log, tasks, now, onEnd } = this.#options
    const { run, controller } = running
    const ended = await this.#ended(tasks[run.kind], running)
    const { progress } = running
    this.#unwritten.set(run.id, { ...run, ...ended, progress, finishedAt: now() })
    onEnd?.(run.kind, ended.state)
    try {
      await this.#writeDown()
      log.info({ kind: run.kind, id: run.id, ...ended, ...progress }, 'maintenance ended')
    } catch (error) {
      log.error({ err: error, kind: run.kind, id: run.id }, 'the end of a run was not written down')
    } finally {
      controller.abort(interrupted())
      this.#running.delete(run.kind)
    }
  }

  /** What could not be written down when it came is, before another run begins; after a crash it counts as interrupted. */
  async #writeDown(): Promise<void> {
    for (const { id, progress, state, message } of this.#unwritten.values()) {
      if (state === 'running') continue
      await this.#options.catalog.transaction(async ({ maintenance }) => {
        await maintenance.note(id, progress)
        await maintenance.end(id, state, message)
      })
      this.#unwritten.delete(id)
    }
  }

  async #ended(task: Task, running: Running) {
    const { run, controller } = running
    const report = this.#reporter(running)
    try {
      await task({ options: run.options, before: run.progress, report }, controller.signal)
      return { state: 'done', message: '' } as const
    } catch (error) {
      if (controller.signal.aborted) return { state: 'interrupted', message: '' } as const
      this.#options.log.error({ err: error, kind: run.kind, id: run.id }, 'maintenance failed')
      return { state: 'failed', message: asFailure(error).message } as const
    }
  }

  #reporter(running: Running): (progress: Facts) => void {
    const { catalog, log, now } = this.#options
    let noted = now()
    return (progress) => {
      running.progress = progress
      if (now() - noted < noteEvery) return
      noted = now()
      catalog
        .transaction(({ maintenance }) => maintenance.note(running.run.id, progress))
        .catch((error: unknown) => log.error({ err: error }, 'progress was not written down'))
    }
  }

  /** A row of the catalog, and what has become of it since. */
  #present(run: MaintenanceRun): MaintenanceRun {
    const running = this.#running.get(run.kind)
    return running?.run.id === run.id ? this.#live(running) : (this.#unwritten.get(run.id) ?? run)
  }

  #live({ run, progress }: Running): MaintenanceRun {
    return { ...run, progress }
  }
}

function interrupted(): Error {
  return new DOMException('the run was interrupted', 'AbortError')
}
