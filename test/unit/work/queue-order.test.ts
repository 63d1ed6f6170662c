import { describe, expect, test } from 'vitest'
import { openQueue } from '../../support/hand-worker.ts'
import { Random } from '../../support/random.ts'

/** Each fourth turn is the oldest job's. */
const oldestEvery = 4

type Job = { readonly uid: string; readonly origin: string; due: number }

/** What the queue should do, in so many words. */
class Model {
  readonly begun: string[] = []
  readonly waiting: Job[] = []
  readonly running: Job[] = []
  readonly #slots: number
  /** The turn by which a job has to have been taken. */
  readonly #latest = new Map<string, number>()

  constructor(slots: number) {
    this.#slots = slots
  }

  come(job: Job, now: number): void {
    this.waiting.push(job)
    if (job.due <= now) this.#due(job, now)
  }

  /** Jobs that became due at this very time, after the clock was moved on. */
  pass(now: number): void {
    for (const job of this.waiting) if (job.due === now) this.#due(job, now)
  }

  #due(job: Job, now: number): void {
    const before = this.waiting.filter((other) => other.due <= now && isOlder(other, job)).length
    this.#latest.set(job.uid, this.begun.length + oldestEvery * (before + 1))
  }

  end(uid: string): Job | undefined {
    const at = this.running.findIndex((job) => job.uid === uid)
    return this.running.splice(at, 1)[0]
  }

  fill(now: number): void {
    while (this.running.length < this.#slots) {
      const job = this.#next(this.waiting.filter(({ due }) => due <= now))
      if (!job) return
      this.waiting.splice(this.waiting.indexOf(job), 1)
      this.running.push(job)
      this.begun.push(job.uid)
      expect(this.begun.length).toBeLessThanOrEqual(this.#latest.get(job.uid) ?? 0)
    }
  }

  #next(due: readonly Job[]): Job | undefined {
    const isFair = this.begun.length % oldestEvery !== oldestEvery - 1
    const has = ({ origin }: Job) => this.running.filter((job) => job.origin === origin).length
    return due.toSorted(
      (one, other) => (isFair ? has(one) - has(other) : 0) || (isOlder(one, other) ? -1 : 1),
    )[0]
  }
}

function isOlder(one: Job, other: Job): boolean {
  return one.due < other.due || (one.due === other.due && one.uid < other.uid)
}

/** Most of them from one place. */
const origins = ['slow', 'slow', 'slow', 'slow', 'mirror', 'rare'] as const

async function life(seed: number, slots: number, steps: number): Promise<void> {
  await using opened = await openQueue(slots)
  const { queue, worker, clock, add } = opened
  const random = new Random(seed)
  const model = new Model(slots)
  let numbers = 0
  const come = async () => {
    const name = String((numbers += 1)).padStart(4, '0')
    const origin = random.pick(origins)
    await add(name, 'import', origin)
    model.come({ uid: `uid-${name}`, origin, due: clock.time }, clock.time)
    queue.look()
  }
  const end = (again: number | null) => {
    const { uid = '' } = model.running[random.below(model.running.length)] ?? {}
    const job = model.end(uid)
    if (job && again !== null) model.come({ ...job, due: again }, clock.time)
    worker.end(uid, again)
  }
  const pass = () => {
    const next = Math.min(
      ...model.waiting.map(({ due }) => due).filter((due) => due > clock.time),
      clock.time + 1000,
    )
    clock.advance(next - clock.time)
    model.pass(next)
    queue.look()
  }
  const step = async () => {
    const dice = random.below(10)
    if (dice < 4) await come()
    else if (dice < 7) end(null)
    // A time of its own, so that each moment makes one job due.
    else if (dice < 8) end(clock.time + 5000 + (numbers += 1))
    else pass()
  }
  queue.start()
  for (let count = 0; count < steps; count += 1) {
    await step()
    model.fill(clock.time)
    await worker.untilBegun(model.begun.length)
  }
  while (model.running.length > 0) {
    end(null)
    model.fill(clock.time)
    await worker.untilBegun(model.begun.length)
  }
  await queue.stop()
  expect(worker.begun).toEqual(model.begun)
  expect(worker.begun.length).toBeGreaterThan(steps / 4)
}

describe('the order of imports', () => {
  test.each([1, 2, 3])('is that of the model, and nobody waits for ever (seed %i)', (seed) =>
    life(seed, 1 + seed, 300),
  )

  test.each([0, 1, 2, 3])(
    'lets the only import from another host pass a hundred from a slow one (after %i more)',
    async (more) => {
      await using opened = await openQueue(2)
      const { queue, worker, add } = opened
      for (let count = 0; count < 100; count += 1) {
        await add(`slow-${String(count).padStart(3, '0')}`, 'import', 'slow.example')
      }
      queue.start()
      await worker.untilBegun(2)
      const endOne = async () => {
        worker.end(worker.begun.at(-1) ?? '')
        await worker.untilBegun(worker.begun.length + 1)
      }
      for (let count = 0; count < more; count += 1) await endOne()
      await add('quick', 'import', 'quick.example')
      await endOne()
      await endOne()
      expect(worker.begun.slice(-2)).toContain('uid-quick')
      const stopped = queue.stop()
      for (const uid of worker.begun) worker.end(uid)
      await stopped
    },
  )
})
