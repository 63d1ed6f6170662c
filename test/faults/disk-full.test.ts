import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe } from 'vitest'
import { mebibyte } from '../support/disks.ts'
import type { Random } from '../support/random.ts'
import { needsSmallDisk, SmallDisk } from '../support/small-disk.ts'
import { deeds, type DeedName, type Under } from './disk-deeds.ts'
import { DiskStage } from './disk-stage.ts'
import { needsCompiler } from './shim.ts'
import { tryOut, type Trial } from './trial.ts'

/** What several clients do at the same time; runs of maintenance go one after the other. */
const names = ['create', 'put', 'parts', 'fetched', 'push', 'tag', 'remove'] as const
const clients = 4
/** Milliseconds within which a disk becomes full after clients have begun, and is freed again: at any moment of their work. */
const soon = 150

describe.skipIf(!needsSmallDisk() || !needsCompiler())('a disk that others fill', () => {
  tryOut('disk-full', async (trial) => {
    await using small = await SmallDisk.mount(224 * mebibyte)
    await using stage = await DiskStage.set(join(small.path, 'data'))
    for (const { random } of trial.rounds()) {
      await play(stage, small, trial, random)
      await stage.expectTidy()
    }
  })
})

async function play(stage: DiskStage, small: SmallDisk, trial: Trial, random: Random) {
  const chosen = Array.from({ length: clients }, (): DeedName => random.pick(names))
  const full = async () => {
    await pause(random.below(soon))
    await small.fill()
    trial.tried += 1
    await pause(random.below(soon))
    if (random.below(2) === 0) await small.free()
  }
  const together = new Together(clients, full, async () => {
    await small.free()
    await stage.heals()
  })
  await Promise.all(chosen.map((name) => deeds[name](stage, together.under, random)))
  for (const name of chosen) trial.note(name)
}

/** Everybody begins when all are ready, and goes on when the disk is whole again for all. */
class Together {
  readonly #meanwhile: () => Promise<void>
  readonly #after: () => Promise<void>
  readonly #count: number
  readonly #allReady = Promise.withResolvers<void>()
  #filled: Promise<void> = Promise.resolve()
  readonly #over = Promise.withResolvers<void>()
  #ready = 0
  #done = 0

  constructor(count: number, meanwhile: () => Promise<void>, after: () => Promise<void>) {
    this.#count = count
    this.#meanwhile = meanwhile
    this.#after = after
  }

  readonly under: Under = async (work) => {
    this.#ready += 1
    if (this.#ready === this.#count) {
      this.#filled = this.#meanwhile()
      this.#allReady.resolve()
    }
    await this.#allReady.promise
    await Promise.all([work(), this.#filled])
    this.#done += 1
    if (this.#done === this.#count) this.#over.resolve(this.#after())
    await this.#over.promise
  }
}
