import { startNeighbour, type Neighbour } from './http-neighbour.ts'
import { makeDisks, type Disk } from './model-disks.ts'
import { OwnImages } from './model-images.ts'
import { Cut, CutClient, Life } from './model-life.ts'
import { OwnRepository } from './model-own.ts'
import { poolOf, type Blob } from './model-pool.ts'
import { SharedRepository } from './model-shared.ts'
import type { Expected } from './model-store.ts'
import { Upkeep, type Deed } from './model-upkeep.ts'
import { Random, seedOf } from './random.ts'
import type { Service } from './service.ts'

export type ModelOptions = {
  readonly service: Service
  readonly seed: number
  readonly operations: number
  /** After so many operations everything is looked at while nobody writes. */
  readonly between: number
  /** After so many operations, on the average, one of `deeds` happens while the others go on. */
  readonly every: number
  readonly deeds: readonly [Deed, ...Deed[]]
  /** To be called while nobody writes, with what must be in the store. */
  readonly inspect?: (expected: Expected) => Promise<void>
}

const clients = 8
/** So few that each is pushed, used and freed by several at the same time. */
const blobs = 8
/** Of so many operations one is in the repository that all share, and two are on images. */
const sharedOf = 9

/** Somebody who works alone on things of its own, and finds out what became of a request that was cut. */
type Lane = { readonly random: Random; readonly own: OwnRepository; readonly images: OwnImages }

/**
 * Random operations of several clients at the same time against a model of what must be there. In the end everything is
 * deleted.
 */
export async function runModel(
  options: ModelOptions,
): Promise<{ readonly [deed in Deed]: number }> {
  await using neighbour = await startNeighbour()
  const client = new CutClient(new Life(options.service))
  const disks = await makeDisks(client, neighbour)
  const model = new Model(options, client, neighbour, disks)
  for (let done = 0; done < options.operations; done += options.between) await model.round()
  await model.empty()
  return model.upkeep.done
}

class Model {
  readonly shared: SharedRepository
  readonly upkeep: Upkeep
  readonly #options: ModelOptions
  readonly #client: CutClient
  readonly #lanes: readonly Lane[]
  #ticks = 0

  constructor(
    options: ModelOptions,
    client: CutClient,
    neighbour: Neighbour,
    disks: readonly [Disk, ...Disk[]],
  ) {
    const { seed, deeds } = options
    this.#options = options
    this.#client = client
    const pool = poolOf(new Random(seed), blobs)
    this.shared = new SharedRepository('model/shared', client, pool)
    this.upkeep = new Upkeep(client, new Random(seedOf('upkeep', seed)), deeds)
    const all: readonly [Blob, ...Blob[]] = [...pool, ...disks.map(({ layer }) => layer)]
    const names = Array.from({ length: clients }, (_, index) => `c${index}`)
    this.#lanes = names.map((name) => {
      const random = new Random(seedOf(name, seed))
      const images = new OwnImages(name, client, neighbour, random, disks)
      const others = names.flatMap((other) => [`model/${other}`, `cvi/${other}-0`])
      const from = ['model/shared', ...others] as const
      return { random, images, own: new OwnRepository(`model/${name}`, client, random, all, from) }
    })
  }

  /** Everybody at work, and then a look at everything. */
  async round(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => this.#work(lane)))
    await this.#check()
  }

  async empty(): Promise<void> {
    const owns = this.#lanes.map(async ({ own, images }) => {
      await own.empty()
      await images.empty()
    })
    await Promise.all([this.shared.empty(), ...owns])
    await this.#options.inspect?.(this.#expected())
  }

  async #work(lane: Lane): Promise<void> {
    const { between } = this.#options
    for (let count = 0; count < between / clients; count += 1) {
      await this.#outlast(lane, () => this.#step(lane))
      await this.#tick()
    }
  }

  async #step({ random, own, images }: Lane): Promise<void> {
    const what = random.below(sharedOf)
    if (what === 0) await this.shared.step(random)
    else if (what < 3) await images.step()
    else await own.step()
  }

  /** After each cut, also of its own looking, the client looks at what became of its request. */
  async #outlast({ own, images }: Lane, work: () => Promise<void>): Promise<void> {
    for (let next: (() => Promise<void>) | null = work; next;) {
      const attempt: () => Promise<void> = next
      next = null
      try {
        await attempt()
      } catch (error) {
        if (!(error instanceof Cut)) throw error
        await this.#client.life.up()
        next = async () => {
          await own.settle()
          await images.settle()
        }
      }
    }
  }

  /** The time that goes by is counted in operations. */
  async #tick(): Promise<void> {
    this.#ticks += 1
    if (this.#ticks % this.#options.every === 0) await this.upkeep.step()
  }

  async #check(): Promise<void> {
    const owns = this.#lanes.map(async ({ own, images }) => {
      await own.check()
      await images.check()
    })
    await Promise.all([this.shared.check(), ...owns])
    await this.#options.inspect?.(this.#expected())
  }

  #expected(): Expected {
    const lanes = this.#lanes.flatMap(({ own, images }) => [own.expected(), images.expected()])
    const all = [this.shared.expected(), ...lanes]
    return {
      digests: all.flatMap(({ digests }) => digests),
      records: all.flatMap(({ records }) => records),
    }
  }
}
