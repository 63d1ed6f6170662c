import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Trial } from '../faults/trial.ts'
import { mebibyte } from './disks.ts'
import { startNeighbour, type Neighbour } from './http-neighbour.ts'
import { CutClient, Life } from './model-life.ts'
import { Model } from './model.ts'
import { age, ageSessions, contentsOf, expectExactly, type Opening } from './model-store.ts'
import { collectAll, failedRuns, Upkeep } from './model-upkeep.ts'
import type { Random } from './random.ts'
import { startService, type Service, type Variables } from './service.ts'
import { temporaryFolder } from './temporary.ts'
import { ToldImages } from './told-images.ts'

/** From the last start to the kill, in milliseconds at most. */
const longest = 800
/** So long do the bytes of an import come that the kill finds many in the middle. */
const bigger = [
  { size: 3 * mebibyte, rate: 8 * mebibyte },
  { size: 5 * mebibyte, rate: 16 * mebibyte },
]
/** After so many rounds everything is looked at, byte for byte. */
const between = 12

export type Ground = {
  /** Of the service. */
  readonly variables: Variables
  /** The store of a service on this data folder, which does not run. */
  readonly open: (folder: string) => ReturnType<Opening>
  /** Where what is stored lies as files. */
  readonly stored: (folder: string) => string
}

/** Eight clients at work on a service that is killed at any moment, again and again, and what they must find afterwards. */
export class Kills implements AsyncDisposable {
  readonly #trial: Trial
  readonly #ground: Ground
  readonly #service: Service
  readonly #life: Life
  readonly #neighbour: Neighbour
  readonly #told: ToldImages
  readonly #model: Model
  readonly #upkeep: Upkeep
  readonly #startTakes: number
  readonly #held: AsyncDisposableStack
  #rounds = 0

  private constructor(trial: Trial, ground: Ground, parts: Parts, held: AsyncDisposableStack) {
    this.#trial = trial
    this.#ground = ground
    this.#service = parts.service
    this.#life = parts.client.life
    this.#neighbour = parts.neighbour
    this.#told = parts.told
    this.#model = parts.model
    const random = trial.randomOf('upkeep')
    this.#upkeep = new Upkeep(parts.client, random, ['gc', 'dry run', 'scrub'])
    this.#startTakes = parts.startTakes
    this.#held = held
  }

  static async open(trial: Trial, ground: Ground): Promise<Kills> {
    await using held = new AsyncDisposableStack()
    const parts = await partsOf(trial, ground, held)
    return new Kills(trial, ground, parts, held.move())
  }

  /** Everybody works until the service is killed, and then looks at what became of it. */
  async round(random: Random): Promise<void> {
    this.#rounds += 1
    this.#service.logs.forget()
    const before = this.#life.ends
    const work = this.#model.work(() => this.#life.ends === before)
    await Promise.race([work, this.#killSoon(random)])
    await work
    await this.#model.checkImages(random.below(2 ** 16))
    this.#noteWhatGoesOn()
    if (this.#rounds % between === 0) await this.#checkAll(random)
  }

  /** Everything is there that has to be; when it is deleted and time goes by, nothing is left. */
  async end(random: Random): Promise<void> {
    await this.#checkAll(random)
    await this.#model.empty()
    await this.#service.stop()
    const { folder } = this.#service
    await age(folder, this.#ground.stored(folder))
    await this.#service.start()
    await collectAll(this.#service)
    await this.#service.stop()
    await using store = await this.#ground.open(folder)
    const nothing = { digests: [], records: [], staged: [], strays: [] }
    expect(await contentsOf(store)).toEqual(nothing)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }

  async #killSoon(random: Random): Promise<void> {
    const moment = performance.now() + random.below(longest)
    if (random.below(3) === 0) await this.#upkeep.step()
    await pause(Math.max(0, moment - performance.now()))
    await this.#life.interrupt(() => this.#kill(random))
  }

  /** Of the starts that follow, more than half are killed, too. */
  async #kill(random: Random): Promise<void> {
    await this.#service.kill()
    this.#trial.tried += 1
    while (random.below(5) < 3) {
      await killStarting(this.#service, random.below(this.#startTakes))
      this.#trial.tried += 1
      this.#trial.note('of them while it started')
    }
  }

  #noteWhatGoesOn(): void {
    const parts = this.#neighbour.requests.splice(0).filter(({ headers: { range } }) => {
      return range !== undefined && !range.startsWith('bytes=0-')
    })
    if (parts.length > 0) this.#trial.note('requests for the rest of a file', parts.length)
  }

  async #checkAll(random: Random): Promise<void> {
    await this.#model.check()
    await this.#told.check()
    await this.#inspect()
    expect(await failedRuns(this.#service)).toEqual([])
    // What nobody deletes would be ever more.
    await this.#model.emptyOne(random.below(2 ** 16))
    this.#trial.note('whole checks')
  }

  /** What a crash has left goes with one collection, and the store holds what it must and nothing else. */
  async #inspect(): Promise<void> {
    await collectAll(this.#service)
    await this.#service.kill()
    await this.#lookIntoStore()
    // Those whose beginning was answered to nobody. Kept, they would be too many in the end.
    ageSessions(this.#service.folder)
    await this.#service.start()
    // A stop waits until they are gone, where the next kill could come between.
    await this.#service.stop()
    await this.#service.start()
  }

  async #lookIntoStore(): Promise<void> {
    const { folder } = this.#service
    await using store = await this.#ground.open(folder)
    await expectExactly(store, folder, this.#model.expected())
  }
}

type Parts = {
  readonly service: Service
  readonly client: CutClient
  readonly neighbour: Neighbour
  readonly told: ToldImages
  readonly model: Model
  /** Milliseconds from the command to the first answer. */
  readonly startTakes: number
}

async function partsOf(trial: Trial, ground: Ground, held: AsyncDisposableStack): Promise<Parts> {
  const { path } = held.use(await temporaryFolder())
  const neighbour = held.use(await startNeighbour())
  const told = held.use(await ToldImages.open(path, trial.randomOf('told')))
  const variables = { ...ground.variables, ...told.variables, ...compiled(path) }
  const service = held.use(await startService(variables))
  told.follow(service)
  // What is compiled is written at the end of a process that ends by itself.
  await service.stop()
  const before = performance.now()
  await service.start()
  const startTakes = Math.round(performance.now() - before)
  const client = new CutClient(new Life(service))
  const seed = trial.randomOf('model').below(2 ** 31)
  const model = await Model.open(client, neighbour, seed, bigger)
  return { service, client, neighbour, told, model, startTakes }
}

/** A start takes two thirds of the time when nothing has to be compiled. */
function compiled(folder: string): Variables {
  return { NODE_COMPILE_CACHE: `${folder}/compiled` }
}

/** Starts a service that does not run, and kills it so many milliseconds after the command. */
export async function killStarting(service: Service, after: number): Promise<void> {
  const started = service.start().then(() => 'started')
  const ended = started.catch(() => 'ended early')
  await Promise.race([pause(after), ended])
  await service.kill()
  await ended
}
