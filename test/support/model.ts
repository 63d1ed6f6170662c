import { startNeighbour, type Neighbour } from './http-neighbour.ts'
import { makeDisks, type Disk, type Size } from './model-disks.ts'
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
  const { service, seed, operations, between, every, deeds, inspect } = options
  await using neighbour = await startNeighbour()
  const client = new CutClient(new Life(service))
  const upkeep = new Upkeep(client, new Random(seedOf('upkeep', seed)), deeds)
  const model = await Model.open(client, neighbour, seed)
  let ticks = 0
  /** The time that goes by is counted in operations. */
  const tick = async () => {
    ticks += 1
    if (ticks % every === 0) await upkeep.step()
  }
  for (let done = 0; done < operations; done += between) {
    await model.work((count) => count < between / clients, tick)
    await model.check()
    await inspect?.(model.expected())
  }
  await model.empty()
  await inspect?.(model.expected())
  return upkeep.done
}

/** Several clients, and what must be there of all that they have done. */
export class Model {
  readonly #client: CutClient
  readonly #shared: SharedRepository
  readonly #lanes: readonly Lane[]

  private constructor(
    client: CutClient,
    neighbour: Neighbour,
    disks: readonly [Disk, ...Disk[]],
    seed: number,
  ) {
    this.#client = client
    const pool = poolOf(new Random(seed), blobs)
    this.#shared = new SharedRepository('model/shared', client, pool)
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

  /** @param bigger disks beside the usual ones, which are small */
  static async open(
    client: CutClient,
    neighbour: Neighbour,
    seed: number,
    bigger: readonly Size[] = [],
  ): Promise<Model> {
    return new Model(client, neighbour, await makeDisks(client, neighbour, bigger), seed)
  }

  /**
   * Everybody at work; whoever is cut finds out what became of the request before anything else.
   * @param goesOn asked by each of them before an operation, with how many it has done
   * @param tick after each operation
   */
  async work(
    goesOn: (count: number) => boolean,
    tick: () => Promise<void> = async () => {},
  ): Promise<void> {
    await Promise.all(
      this.#lanes.map(async (lane) => {
        for (let count = 0; goesOn(count); count += 1) {
          await this.#outlast(lane, () => this.#step(lane))
          await tick()
        }
      }),
    )
  }

  /** A look at everything, while nobody writes. */
  async check(): Promise<void> {
    const owns = this.#lanes.map(async ({ own, images }) => {
      await own.check()
      await images.check()
    })
    await Promise.all([this.#shared.check(), ...owns])
  }

  /** A look at the images of one client. @param index counts on over all of them */
  async checkImages(index: number): Promise<void> {
    await this.#lanes[index % clients]?.images.check()
  }

  /** Lets go of everything that the nth client has. @param index counts on over all of them */
  async emptyOne(index: number): Promise<void> {
    const lane = this.#lanes[index % clients]
    if (lane) await emptyLane(lane)
  }

  async empty(): Promise<void> {
    await Promise.all([this.#shared.empty(), ...this.#lanes.map(emptyLane)])
  }

  /** What must be in the store. */
  expected(): Expected {
    const lanes = this.#lanes.flatMap(({ own, images }) => [own.expected(), images.expected()])
    const all = [this.#shared.expected(), ...lanes]
    return {
      digests: all.flatMap(({ digests }) => digests),
      records: all.flatMap(({ records }) => records),
    }
  }

  async #step({ random, own, images }: Lane): Promise<void> {
    const what = random.below(sharedOf)
    if (what === 0) await this.#shared.step(random)
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
}

async function emptyLane({ own, images }: Lane): Promise<void> {
  await own.empty()
  await images.empty()
}
