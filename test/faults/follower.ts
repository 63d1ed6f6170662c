import { z } from 'zod'
import { phases, type Phase } from '../../src/image/phase.ts'
import { EventParser, type Told } from '../support/event-source.ts'

const aboutSchema = z.object({
  name: z.string(),
  uid: z.string(),
  status: z.object({ phase: z.enum(phases) }).optional(),
})

/** Without a byte for so long a stream counts as dead, in milliseconds: there is a word every 15 s. */
const silence = 25_000
const mostGone = 1_000

type Known = { readonly uid: string; readonly phase: Phase }

/** Whoever only ever listens to what happens to images, over streams that break. */
export class Follower implements AsyncDisposable {
  readonly images = new Map<string, Known>()
  streams = 0
  /** Uids of what was told to be deleted, the last ones: what is told of them later is too late. */
  readonly #gone = new Set<string>()
  readonly #url: string
  readonly #end = new AbortController()
  readonly #running: Promise<void>
  #lastId = ''

  constructor(url: string) {
    this.#url = url
    this.#running = this.#run()
    // Whoever looks at the end hears of it.
    this.#running.catch(() => null)
  }

  /** @throws what went wrong while it listened */
  async stop(): Promise<void> {
    this.#end.abort()
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    await this.#running.catch(() => null)
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      this.streams += 1
      for await (const told of this.#listen()) this.#take(told)
    }
  }

  async *#listen(): AsyncGenerator<Told> {
    const parser = new EventParser(this.#lastId)
    const quiet = new AbortController()
    const timer = setTimeout(() => quiet.abort(), silence)
    const signal = AbortSignal.any([this.#end.signal, quiet.signal])
    try {
      for await (const text of textOf(this.#url, this.#lastId, signal)) {
        timer.refresh()
        for (const told of parser.read(text)) {
          if (Number(told.id) < Number(this.#lastId)) {
            throw new Error(`event ${told.id} is told after ${this.#lastId}`)
          }
          this.#lastId = told.id
          yield told
        }
      }
    } finally {
      clearTimeout(timer)
    }
  }

  #take({ event, data }: Told): void {
    if (event === 'reset') return this.images.clear()
    const { name, uid, status } = aboutSchema.parse(JSON.parse(data))
    if (this.#gone.has(uid)) throw new Error(`${name} is told of after its deletion`)
    const known = this.images.get(name)
    if (known && known.uid !== uid) throw new Error(`there is a second image ${name}`)
    if (!status) {
      this.images.delete(name)
      if (this.#gone.size === mostGone) this.#gone.clear()
      return void this.#gone.add(uid)
    }
    if (known && rank(status.phase) < rank(known.phase)) {
      throw new Error(`${name} is told to be ${status.phase} after it was ${known.phase}`)
    }
    this.images.set(name, { uid, phase: status.phase })
  }
}

/** What goes well goes this way. */
const order: readonly Phase[] = ['WaitForUserUpload', 'Provisioning', 'Ready', 'Terminating']

function rank(phase: Phase): number {
  return order.indexOf(phase)
}

/** What a stream says until it breaks. */
async function* textOf(url: string, lastId: string, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  try {
    const headers = lastId === '' ? {} : { 'last-event-id': lastId }
    const answer = await fetch(url, { headers, signal })
    if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
    for await (const chunk of answer.body ?? []) yield decoder.decode(chunk, { stream: true })
  } catch (error) {
    // The cable, or the end of it.
    if (!signal.aborted && !(error instanceof TypeError)) throw error
  }
}
