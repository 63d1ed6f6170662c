import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { EventParser } from '../../support/event-source.ts'

/** Many who listen to the same events, each over a connection of its own. */
export class Audience implements Disposable {
  readonly #streams: readonly IncomingMessage[]
  readonly #agent: Agent
  /** How many have still to be told of an image. */
  readonly #waiting = new Map<string, { missing: number; readonly all: () => void }>()
  /** Rejects when one of them is left by the service. */
  readonly #left = Promise.withResolvers<never>()

  private constructor(streams: readonly IncomingMessage[], agent: Agent) {
    this.#streams = streams
    this.#agent = agent
    // Who waits for something is told; there may be nobody.
    this.#left.promise.catch(() => null)
    for (const stream of streams) this.#listen(stream)
  }

  /** @throws Error when one of them is not let in */
  static async open(base: string, count: number, signal: AbortSignal): Promise<Audience> {
    const agent = new Agent({ keepAlive: false, maxSockets: Infinity })
    const opened = Array.from({ length: count }, () => open(`${base}/api/v1/events`, agent, signal))
    return new Audience(await Promise.all(opened), agent)
  }

  /** Resolves when all have been told of an image of that name. */
  async told(name: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.set(name, { missing: this.#streams.length, all: resolve })
    await Promise.race([promise, this.#left.promise])
  }

  [Symbol.dispose](): void {
    for (const stream of this.#streams) stream.destroy()
    this.#agent.destroy()
  }

  #listen(stream: IncomingMessage): void {
    const parser = new EventParser()
    stream.setEncoding('utf8').on('data', (text: string) => {
      for (const { event, data } of parser.read(text)) if (event === 'image') this.#hear(data)
    })
    stream.on('end', () => this.#left.reject(new Error('the service has ended a stream')))
    stream.on('error', (error) => this.#left.reject(error))
  }

  #hear(data: string): void {
    const name = /^\{"name":"([^"]+)"/.exec(data)?.[1] ?? ''
    const waiting = this.#waiting.get(name)
    if (!waiting) return
    waiting.missing -= 1
    if (waiting.missing > 0) return
    this.#waiting.delete(name)
    waiting.all()
  }
}

async function open(url: string, agent: Agent, signal: AbortSignal): Promise<IncomingMessage> {
  const request = get(url, { agent, signal })
  const [response]: IncomingMessage[] = await once(request, 'response', { signal })
  if (response?.statusCode === 200) return response
  throw new Error(`${url} answered ${response?.statusCode ?? 'nothing'}`)
}
