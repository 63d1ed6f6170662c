import { randomUUID } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import type { Job } from '../catalog/jobs.ts'
import { jobKinds, type JobKind } from '../catalog/schema.ts'
import type { Log } from '../log.ts'
import { Alarm } from './alarm.ts'

/** A job whose worker did not say for a minute that it lives belongs to whoever comes next. */
const leaseFor = 60_000
const beatEvery = 10_000
/** Jobs become due through this process; the regular look is for what another one left. */
const lookEvery = 60_000
/** References are done at once, but for one that waits for the disk; none waits behind an import of hours. */
const referencesAtOnce = 4
/** Each so many turns the oldest import gets one whatever its origin has: no import waits for ever. */
const oldestEvery = 4

export type Worker = {
  /** Does a job to its end, and records how it ended. Must not throw for anything but a bug. */
  run(job: Job): Promise<void>
  /** Tenths of a per cent of a running job. */
  progress(imageUid: string): number
  /** The job was given to somebody else. */
  lose(imageUid: string): void
}

export type QueueOptions = {
  readonly catalog: Catalog
  readonly worker: Worker
  /** Imports at the same time. */
  readonly concurrency: number
  readonly now: () => number
  readonly log: Log
}

type Running = { readonly kind: JobKind; readonly done: Promise<void> }

/**
 * Takes jobs, a bounded number at a time, for as long as they can be believed to be its own. Origins share the slots: the
 * one that has the fewest comes first, among equals the oldest job. A job that waits for its next attempt has no slot.
 */
export class Queue {
  readonly #options: QueueOptions
  readonly #owner = randomUUID()
  readonly #slots: { readonly [kind in JobKind]: number }
  readonly #running = new Map<string, Running>()
  readonly #alarm: Alarm
  #beat: NodeJS.Timeout | null = null
  #looking: Promise<void> = Promise.resolve()
  #stopped = false
  /** Imports that were taken. */
  #turns = 0

  constructor(options: QueueOptions) {
    this.#options = options
    this.#slots = { import: options.concurrency, reference: referencesAtOnce }
    this.#alarm = new Alarm(options.now, () => this.look())
  }

  start(): void {
    this.#beat = setInterval(() => void this.#beatAll(), beatEvery).unref()
    this.look()
  }

  /** Something may be due. */
  look(): void {
    this.#looking = this.#looking
      .then(() => this.#fill())
      .catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'the queue could not be read')
        this.#alarm.set(this.#options.now() + beatEvery)
      })
  }

  /** No further job is taken; resolves when those that run have ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#beat) clearInterval(this.#beat)
    this.#alarm.clear()
    await this.#looking
    await Promise.all([...this.#running.values()].map(({ done }) => done))
  }

  async #fill(): Promise<void> {
    for (let free = this.#free; free.length > 0 && !this.#stopped; free = this.#free) {
      const job = await this.#claim(free)
      if (!job) break
      if (job.kind === 'import') this.#turns += 1
      this.#begin(job)
    }
    if (!this.#stopped) this.#alarm.set(await this.#nextTurn())
  }

  /** Kinds of which one more may run. */
  get #free(): readonly JobKind[] {
    const kinds = [...this.#running.values()].map(({ kind }) => kind)
    const has = (kind: JobKind) => kinds.filter((running) => running === kind).length
    return jobKinds.filter((kind) => has(kind) < this.#slots[kind])
  }

  async #claim(kinds: readonly JobKind[]): Promise<Job | null> {
    const order = this.#turns % oldestEvery === oldestEvery - 1 ? 'oldest' : 'fair'
    const wish = { kinds, order, except: [...this.#running.keys()] } as const
    return await this.#options.catalog.transaction(({ jobs }) =>
      jobs.claim(this.#owner, leaseFor, wish),
    )
  }

  /** With all hands full, the end of a job is the next time to look. */
  async #nextTurn(): Promise<number> {
    const { catalog, now } = this.#options
    const wish = { kinds: this.#free, except: [...this.#running.keys()] }
    const turn = wish.kinds.length > 0 ? await catalog.read.jobs.nextTurn(wish) : null
    return Math.min(turn ?? Infinity, now() + lookEvery)
  }

  #begin(job: Job): void {
    const done = this.#options.worker
      .run(job)
      .catch((error: unknown) => {
        this.#options.log.error({ err: error, image: job.imageUid }, 'a job ended without a record')
      })
      .finally(() => {
        this.#running.delete(job.imageUid)
        if (!this.#stopped) this.look()
      })
    this.#running.set(job.imageUid, { kind: job.kind, done })
  }

  async #beatAll(): Promise<void> {
    const { catalog, worker, log } = this.#options
    for (const uid of this.#running.keys()) {
      try {
        const mine = await catalog.transaction(({ jobs }) =>
          jobs.beat(uid, this.#owner, leaseFor, worker.progress(uid)),
        )
        if (!mine && this.#running.has(uid)) worker.lose(uid)
      } catch (error) {
        log.error({ err: error, image: uid }, 'a lease could not be prolonged')
      }
    }
  }
}
