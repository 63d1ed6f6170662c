import { randomUUID } from 'node:crypto'
import type { Catalog } from '../catalog/catalog.ts'
import type { Job } from '../catalog/jobs.ts'
import type { Log } from '../log.ts'
import { Alarm } from './alarm.ts'

/** A job whose worker did not say for a minute that it lives belongs to whoever comes next. */
const leaseFor = 60_000
const beatEvery = 10_000
/** Jobs become due through this process; the regular look is for what another one left. */
const lookEvery = 60_000

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
  readonly concurrency: number
  readonly now: () => number
  readonly log: Log
}

/** Takes jobs, oldest first, a bounded number at a time, for as long as they can be believed to be its own. */
export class Queue {
  readonly #options: QueueOptions
  readonly #owner = randomUUID()
  readonly #running = new Map<string, Promise<void>>()
  readonly #alarm: Alarm
  #beat: NodeJS.Timeout | null = null
  #looking: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: QueueOptions) {
    this.#options = options
    this.#alarm = new Alarm(options.now, () => this.look())
  }

  start(): void {
    this.#beat = setInterval(() => void this.#beatAll(), beatEvery).unref()
    this.look()
  }

  get depth(): number {
    return this.#running.size
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
    await Promise.all(this.#running.values())
  }

  async #fill(): Promise<void> {
    const { catalog, concurrency, now } = this.#options
    while (!this.#stopped && this.#running.size < concurrency) {
      const mine = [...this.#running.keys()]
      const job = await catalog.transaction(({ jobs }) => jobs.claim(this.#owner, leaseFor, mine))
      if (!job) break
      this.#begin(job)
    }
    if (this.#stopped) return
    // With all hands full, the end of a job is the next time to look.
    const isFull = this.#running.size >= concurrency
    const turn = isFull ? null : await catalog.read.jobs.nextTurn([...this.#running.keys()])
    this.#alarm.set(Math.min(turn ?? Infinity, now() + lookEvery))
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
    this.#running.set(job.imageUid, done)
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
