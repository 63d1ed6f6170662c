import { constants, setPriority } from 'node:os'
import { expect } from 'vitest'
import { mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { peakMemory } from '../support/peak-memory.ts'
import { startService, type Service } from '../support/service.ts'
import { becomesQuiet, collect, leavesNothing } from './load/aftermath.ts'
import { Line, Tally } from './load/line.ts'
import { descriptorsOf, socketsOf, memoryOf, Scrape } from './load/process.ts'
import { pull, Shelf, type Held, type Known } from './load/shelf.ts'
import { playAll, type Client, type Stage } from './load/stage.ts'
import * as transfers from './load/transfers.ts'
import * as watchers from './load/watchers.ts'
import { lengthOf, settings } from './settings.ts'
import { tryOut, type Trial } from './trial.ts'

/** Milliseconds of a round: in a campaign long enough for what grows to show, and often enough to compare. */
const shortest = 30_000
const longest = 600_000
/** How late the event loop may be by p99, in milliseconds. */
const latest = 200
/** The most memory of the process; see the test's end. */
const mostMemory = 1024 * mebibyte
/** What the process may hold more after a later round than after the first two, which warm its caches. */
const growth = 64 * mebibyte

type Crowd = readonly (readonly [count: number, client: Client])[]

const crowd: Crowd = [
  [1860, watchers.poller],
  [100, watchers.waiter],
  [40, watchers.listener],
  [500, watchers.visitor],
  [100, transfers.importer],
  [64, transfers.pusher],
  [64, transfers.puller],
  [8, transfers.uploader],
  [1, transfers.collector],
]

/** One of each. */
const few: Crowd = crowd.map(([, client]) => [1, client])

tryOut('load', async (trial) => {
  await using service = await startService({ SLIPWAY_IMPORT_CONCURRENCY: '100' })
  // They would be elsewhere, and no part of what two cores can do.
  setPriority(constants.priority.PRIORITY_LOW)
  await using neighbour = await startNeighbour()
  transfers.serveSources(neighbour)
  const load = new Load(trial, service, neighbour)
  const listening = socketsOf(await descriptorsOf(service.pid))
  await load.play(few, 2000, 'few')
  const before = { ...(await descriptorsOf(service.pid)), ...listening }
  const held: number[] = []
  for (const { random } of trial.rounds()) {
    await load.play(crowd, milliseconds(), `${random.below(2 ** 31)}`)
    await expect.poll(() => descriptorsOf(service.pid)).toEqual(before)
    held.push(await memoryOf(service.pid))
    neighbour.requests.length = 0
    service.logs.forget()
  }
  trial.tried = load.answers
  expect(await peakMemory(service.pid)).toBeLessThan(mostMemory)
  expect(Math.max(...held)).toBeLessThan(Math.max(...held.slice(0, 2)) + growth)
  await leavesNothing(service)
})

/** In a campaign there are three rounds at least. */
function milliseconds(): number {
  return Math.min(longest, Math.max(shortest, (lengthOf('load') ?? 0) / 4))
}

/** All that the clients of one service share over the rounds, and what must be true after each of them. */
class Load {
  readonly #trial: Trial
  readonly #stage: Omit<Stage, 'over'>

  constructor(trial: Trial, service: Service, neighbour: Neighbour) {
    this.#trial = trial
    this.#stage = {
      base: service.base,
      neighbour,
      held: new Shelf<Held>(),
      images: new Shelf<Known>(),
      tally: new Tally(),
      note: (what) => trial.note(what),
    }
  }

  get answers(): number {
    return this.#stage.tally.answers
  }

  /** Everybody at work; then all that was promised is there, and goes when it is deleted. */
  async play(crowd: Crowd, milliseconds: number, seed: string): Promise<void> {
    const randomOf = (what: string) => this.#trial.randomOf(`${seed} ${what}`)
    await using line = new Line(this.#stage.base, this.#stage.tally)
    await Scrape.by(line)
    await playAll(this.#stage, crowd, randomOf, milliseconds)
    this.#tellDelay(await Scrape.by(line))
    await this.#verify(line)
    await collect(line)
    await becomesQuiet(line)
  }

  #tellDelay(scrape: Scrape): void {
    const delay = Math.round(scrape.sum('nodejs_eventloop_lag_p99_seconds') * 1000)
    const what = 'ms that the event loop was late by p99'
    this.#trial.notes[what] = Math.max(this.#trial.notes[what] ?? 0, delay)
    // A clock decides nothing where other programs may have the cores.
    if (settings.minutes !== null) expect(delay, what).toBeLessThan(latest)
  }

  async #verify(line: Line): Promise<void> {
    const { held } = this.#stage
    for (const thing of held.all) expect(await pull(line, thing, 1)).toBe(true)
    for (let thing = held.all[0]; thing; thing = held.all[0]) {
      await transfers.remove(line, thing, this.#stage)
    }
  }
}
