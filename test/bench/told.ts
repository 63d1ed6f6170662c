import { openEvents, type ServiceEvent } from '../../src/client/events.ts'
import { createImage, ownedImageSchema } from '../../src/client/images.ts'
import { Rest } from '../../src/client/rest.ts'

/** The service as who posts an image and listens to its events. */
export class Told implements AsyncDisposable {
  readonly #rest: Rest
  readonly #stopping: AbortController
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>()
  readonly #listening: Promise<void>

  private constructor(rest: Rest, events: AsyncIterable<ServiceEvent>, stopping: AbortController) {
    this.#rest = rest
    this.#stopping = stopping
    this.#listening = this.#listen(events)
  }

  static async open(base: string): Promise<Told> {
    const rest = new Rest({ base, token: () => Promise.resolve(null), userAgent: 'bench' })
    const stopping = new AbortController()
    return new Told(rest, await openEvents(rest, '', stopping.signal), stopping)
  }

  async create(name: string, dataSource: object): Promise<void> {
    const wanted = { name, dataSource, owner: { uid: `uid-of-${name}` } }
    await createImage(this.#rest, wanted, this.#stopping.signal)
  }

  async ready(name: string): Promise<void> {
    const waiting = Promise.withResolvers<void>()
    this.#waiting.set(name, waiting)
    await Promise.race([waiting.promise, this.#listening])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#listening.catch(() => null)
  }

  async #listen(events: AsyncIterable<ServiceEvent>): Promise<void> {
    for await (const { event, data } of events) {
      if (event !== 'image') continue
      const { name, status } = ownedImageSchema.parse(JSON.parse(data))
      if (status.phase === 'Ready') this.#waiting.get(name)?.resolve()
    }
    throw new Error('the service has ended its stream of events')
  }
}
