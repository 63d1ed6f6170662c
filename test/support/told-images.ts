import { expect } from 'vitest'
import type { Random } from './random.ts'
import { Receiver, type Answer, type Event } from './receiver.ts'
import type { Service, Variables } from './service.ts'
import { Subscribers, writeSubscribers } from './subscribers.ts'

/** How long what waits may take to be told once everybody listens, in milliseconds. */
const patience = 60_000

/** Nothing is answered once in a while, and what is answered is not always good news. */
function answerSomehow(random: Random): Answer {
  const mood = random.below(10)
  if (mood === 0) return null
  return { status: mood === 1 ? 500 : 204 }
}

/** What a subscriber that does not always listen is told of images, held against what they are. */
export class ToldImages implements AsyncDisposable {
  readonly variables: Variables
  readonly #receiver: Receiver
  readonly #random: Random
  /** The last event of each image that was told. */
  readonly #last = new Map<string, Event>()
  #service: Service | null = null

  private constructor(receiver: Receiver, file: string, random: Random) {
    this.#receiver = receiver
    this.#random = random
    this.variables = { SLIPWAY_SUBSCRIBERS_FILE: file }
    this.#listenSometimes()
  }

  /** @param folder for the file of subscribers */
  static async open(folder: string, random: Random): Promise<ToldImages> {
    const receiver = await Receiver.start()
    const subscriber = {
      name: 'all',
      url: receiver.url(),
      form: 'cloudevents',
      events: ['image.*'],
      timeout: '200ms',
    } as const
    return new ToldImages(receiver, await writeSubscribers(folder, [subscriber]), random)
  }

  follow(service: Service): void {
    this.#service = service
  }

  /** To be called while nobody writes: every image was told of in order, and its last event is what it is now. */
  async check(): Promise<void> {
    const service = this.#service
    if (!service) throw new Error('there is nobody to follow')
    await this.#untilAllIsTold(new Subscribers(() => service.base))
    for (const event of this.#receiver.events) this.#take(event)
    this.#receiver.requests.length = 0
    const { items } = await service.rest.list('?limit=500')
    const phases = new Map(items.map(({ name, status }) => [name, status.phase]))
    for (const name of new Set([...phases.keys(), ...this.#last.keys()])) {
      this.#compare(name, phases.get(name) ?? 'absent')
    }
    this.#listenSometimes()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#receiver[Symbol.asyncDispose]()
  }

  #listenSometimes(): void {
    this.#receiver.answer = () => answerSomehow(this.#random)
  }

  async #untilAllIsTold(subscribers: Subscribers): Promise<void> {
    this.#receiver.answer = () => ({ status: 204 })
    const waiting = async () => {
      await subscribers.post('/all/redeliver')
      return (await subscribers.of('all')).waiting
    }
    await expect.poll(waiting, { timeout: patience, interval: 20 }).toBe(0)
    expect((await subscribers.of('all')).undelivered).toBe(0)
  }

  /** The same event may come twice, but not after a later one. */
  #take(event: Event): void {
    const { subject, id, type } = event
    const last = this.#last.get(subject)
    if (last?.id === id) return
    const isBegun = last !== undefined && typeOf(last) !== 'image.deleted'
    if (isBegun === (typeOf(event) === 'image.created'))
      throw new Error(`${subject} was told ${type} after ${last?.type ?? 'nothing'}`)
    this.#last.set(subject, event)
  }

  #compare(name: string, phase: string): void {
    const last = this.#last.get(name)
    const told = last ? typeOf(last) : 'image.deleted'
    const pairs = [
      [phase === 'absent', told === 'image.deleted'],
      [phase === 'Ready', told === 'image.ready' || told === 'image.recovered'],
    ]
    if (pairs.every(([is, was]) => is === was)) return
    throw new Error(`${name} is ${phase}, but the last that was told of it is ${told}`)
  }
}

function typeOf({ type }: Event): string {
  return type.replace('dev.slipway.', '')
}
