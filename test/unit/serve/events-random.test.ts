import { describe, expect, test } from 'vitest'
import type { Phase } from '../../../src/image/phase.ts'
import type { Transfer } from '../../../src/work/progress.ts'
import { Mirror } from '../../support/event-source.ts'
import { Listener, openFeed, provisioning, ready, terminating } from '../../support/feed.ts'
import { Random } from '../../support/random.ts'
import type { Image } from '../../support/rest.ts'

type Opened = Awaited<ReturnType<typeof openFeed>>
type Living = { readonly uid: string; phase: Phase; transfer: Transfer | null }

const everything = { limit: 100, after: null, phase: null, format: null, cdrom: null }
const names = ['a', 'b', 'c', 'd', 'e'] as const
const failed = {
  phase: 'Failed',
  ready: { reason: 'ProvisioningFailedTerminally', message: 'no' },
} as const
const broken = {
  phase: 'Provisioning',
  ready: { reason: 'ProvisioningFailed', message: 'again' },
} as const
const pending = {
  phase: 'Pending',
  ready: { reason: 'ProvisioningNotStarted', message: '' },
} as const

/** Images that come, move, break off, go on and go, in the ways of the importer. */
class Life {
  readonly #opened: Opened
  readonly #random: Random
  readonly #living = new Map<string, Living>()
  #count = 0

  constructor(opened: Opened, random: Random) {
    this.#opened = opened
    this.#random = random
  }

  async step(): Promise<void> {
    const turn = this.#random.below(12)
    if (turn === 0) await this.#opened.second()
    // A look at what moves, in the middle of which it changes.
    else if (turn === 1) await Promise.all([this.#opened.second(), this.#act()])
    else await this.#act()
  }

  async #act(): Promise<void> {
    const name = this.#random.pick(names)
    const living = this.#living.get(name)
    if (!living) return await this.#create(name)
    if (this.#random.below(8) === 0) return await this.#delete(name, living)
    await this.#goOn(living)
  }

  async #create(name: string): Promise<void> {
    const uid = `${name}-${(this.#count += 1)}`
    await this.#opened.add(name, uid)
    this.#living.set(name, { uid, phase: 'Pending', transfer: null })
  }

  async #delete(name: string, living: Living): Promise<void> {
    await this.#opened.change(living.uid, terminating)
    this.#end(living)
    await this.#opened.remove(name, living.uid)
    this.#living.delete(name)
  }

  async #goOn(living: Living): Promise<void> {
    const { uid, phase, transfer } = living
    if (phase === 'Pending' || (phase === 'Provisioning' && !transfer))
      return await this.#begin(living)
    if (phase === 'Failed') return await this.#to(living, pending)
    if (!transfer) return
    const turn = this.#random.below(10)
    if (turn > 3) transfer.add(this.#random.below(100))
    else if (turn > 1) await this.#breakOff(living)
    else {
      await this.#to(living, turn === 0 ? ready : failed)
      // As if it went on from there: what a client did not see in between looks as if it had gone back.
      this.#opened.progress.keep(uid)
      this.#end(living)
    }
  }

  async #begin(living: Living): Promise<void> {
    const { progress } = this.#opened
    living.transfer = progress.begin(living.uid, progress.floor(living.uid))
    if (this.#random.below(3) > 0) living.transfer.expect(1000)
    await this.#to(living, provisioning)
  }

  async #breakOff(living: Living): Promise<void> {
    this.#opened.progress.keep(living.uid)
    await this.#to(living, broken)
    this.#end(living)
  }

  async #to(living: Living, change: Parameters<Opened['change']>[1]): Promise<void> {
    await this.#opened.change(living.uid, change)
    living.phase = change.phase
  }

  #end(living: Living): void {
    if (living.transfer) this.#opened.progress.end(living.uid, living.transfer)
    living.transfer = null
  }
}

/** A client whose connection breaks now and then, and that does not always read. */
class Reconnecting implements AsyncDisposable {
  readonly #opened: Opened
  readonly #random: Random
  readonly #known = new Mirror()
  #listener: Listener
  resets = 0

  constructor(opened: Opened, random: Random) {
    this.#opened = opened
    this.#random = random
    this.#listener = new Listener(opened.feed)
  }

  get all(): readonly Image[] {
    return this.#known.all
  }

  async step(): Promise<void> {
    if (this.#random.below(10) === 0) await this.#reconnect()
    for (let count = this.#random.below(5); count > 0; count -= 1) await this.#pull()
  }

  /** Reads until there is nothing more. */
  async settle(): Promise<void> {
    while (await this.#pull());
  }

  async #pull(): Promise<boolean> {
    const told = await this.#listener.pull()
    for (const each of told ?? []) {
      const before = new Map(this.#known.images)
      this.#known.take(each)
      for (const [name, image] of this.#known.images) expectNoWayBack(before.get(name), image)
      if (each.event === 'reset') this.resets += 1
    }
    return told !== null
  }

  async #reconnect(): Promise<void> {
    await this.#listener[Symbol.asyncDispose]()
    this.#listener = new Listener(this.#opened.feed, this.#listener.parser.lastId)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]()
  }
}

function expectNoWayBack(before: Image | undefined, after: Image): void {
  if (before?.uid !== after.uid || after.status.phase !== 'Provisioning') return
  const [was, is] = [before, after].map(({ status }) => Number.parseFloat(status.progress ?? ''))
  if (was !== undefined && is !== undefined && was > is) {
    throw new Error(`the progress of ${after.name} went from ${was} to ${is}`)
  }
}

describe('whoever listens', () => {
  const seeds = Array.from({ length: 6 }, (_, seed) => seed)

  test.each(seeds)('knows in the end what is there, however it went (seed %i)', async (seed) => {
    await using opened = await openFeed()
    const random = new Random(seed)
    const life = new Life(opened, random)
    await using listeners = new AsyncDisposableStack()
    const all = Array.from({ length: 4 }, () => listeners.use(new Reconnecting(opened, random)))
    for (let step = 0; step < 200; step += 1) {
      await life.step()
      await all[random.below(4)]?.step()
    }
    for (const client of all) await client.settle()
    // Progress, and what was left of it, is told a second later.
    await opened.second(2)
    for (const client of all) await client.settle()
    const images = await opened.catalog.read.images.list(everything)
    const shown = await Promise.all(images.map((image) => opened.presenter.show(image)))
    for (const client of all) expect(client.all).toEqual(JSON.parse(JSON.stringify(shown)))
    // Whoever was cut off in the middle of the whole state begins it again, and nobody else.
    expect(all.filter(({ resets }) => resets > 5)).toEqual([])
  })
})
