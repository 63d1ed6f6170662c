import { z } from 'zod'
import { Outage, type Failure } from '../errors.ts'
import { imageSchema } from '../image/status.ts'
import { openEvents, type ServiceEvent } from './events.ts'
import type { Image } from './images.ts'
import { backoff, pause } from './pause.ts'
import type { Rest } from './rest.ts'

/** `settled`: all that there is has been told. `lost`: nothing is heard until the next one that is not `lost`. */
export type Change =
  | { readonly kind: 'reset' | 'settled' | 'found' }
  | { readonly kind: 'image'; readonly image: Image }
  | { readonly kind: 'deleted'; readonly name: string; readonly uid: string }
  | { readonly kind: 'lost'; readonly why: Failure }

export type ChangesOptions = {
  readonly rest: Rest
  /** The one image that is listened to, null for all. */
  readonly name: string | null
  /** Milliseconds without the service after which it is given up. */
  readonly patience?: number
  /** From 0 to 1. */
  readonly random?: () => number
}

/** A service that is upgraded, or a machine that starts again, takes less. */
const usually = 5 * 60_000
/** Before the first further attempt, and the most, in milliseconds. */
const first = 200
const longest = 10_000

const found: Change = { kind: 'found' }

const deletedSchema = z.object({ name: z.string(), uid: z.string() })

/**
 * What there is and what happens to it, until the signal, which ends it quietly. It goes on where it was when the connection
 * breaks or the service starts again.
 * @throws what `Rest` throws: at once when it cannot begin or is refused, and after `patience` when the service is lost
 */
export async function* changesOf(
  options: ChangesOptions,
  signal: AbortSignal,
): AsyncGenerator<Change> {
  const line = new Line(options)
  while (!signal.aborted) {
    try {
      for await (const event of await line.open(signal)) yield* line.take(event)
      throw new Outage('SERVICE_UNREACHABLE', 'the service has ended its stream of events')
    } catch (error) {
      if (signal.aborted) return
      yield { kind: 'lost', why: line.lose(error) }
    }
    await pause(line.wait(), signal)
  }
}

/** One stream of events over as many connections as it takes. */
class Line {
  readonly #options: ChangesOptions
  #lastId = ''
  #isWhole = true
  #hasBegun = false
  #openedAt = 0
  /** Since when nothing is heard; null while the service is listened to. */
  #lostSince: number | null = null
  #failures = 0

  constructor(options: ChangesOptions) {
    this.#options = options
  }

  async open(signal: AbortSignal): Promise<AsyncIterable<ServiceEvent | null>> {
    const { rest, name } = this.#options
    const events = await openEvents(rest, this.#lastId, signal, name)
    this.#openedAt = performance.now()
    this.#hasBegun = true
    return this.#lostSince === null ? events : again(events)
  }

  *take(event: ServiceEvent | null): Generator<Change> {
    this.#lostSince = null
    const change = event === null ? found : changeIn(event)
    if (change?.kind === 'reset') this.#isWhole = false
    if (change) yield change
    if (event && this.#ends(event)) yield { kind: 'settled' }
  }

  /** Whether the whole state has been told with it: then alone it bears an id. */
  #ends({ id }: ServiceEvent): boolean {
    this.#lastId = id ?? this.#lastId
    const ends = !this.#isWhole && id !== null && id !== ''
    if (ends) this.#isWhole = true
    return ends
  }

  /** @throws the error, unless the service may come back, and there is time left */
  lose(error: unknown): Failure {
    const now = performance.now()
    this.#lostSince ??= now
    const { patience = usually } = this.#options
    if (!(error instanceof Outage) || !this.#hasBegun) throw error
    if (now - this.#lostSince > patience) throw error
    return error
  }

  /** Milliseconds before the next attempt. One that is begun and breaks off at once has failed, too. */
  wait(): number {
    const { random = Math.random } = this.#options
    if (performance.now() - this.#openedAt > longest) this.#failures = 0
    this.#failures += 1
    return backoff(this.#failures - 1, { first, longest, random })
  }
}

/** Null first: the service is back. */
async function* again(events: AsyncIterable<ServiceEvent>): AsyncGenerator<ServiceEvent | null> {
  yield null
  yield* events
}

/** Null for what is not understood, which a service of another version may say. */
function changeIn({ event, data }: ServiceEvent): Change | null {
  if (event === 'reset') return { kind: 'reset' }
  const value = parsed(data)
  if (event === 'deleted') {
    const gone = deletedSchema.safeParse(value).data
    return gone ? { kind: 'deleted', ...gone } : null
  }
  const image = imageSchema.safeParse(value).data
  return event === 'image' && image ? { kind: 'image', image } : null
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    // Whoever asked for JSON is told by the schema that there is none.
    return undefined
  }
}
