import { Failure } from '../../errors.ts'
import { SourceBody } from '../body.ts'
import { Kept } from '../kept.ts'
import type { Request } from '../request.ts'
import { uncounted } from '../tally.ts'
import { travel, type Arrival, type Line } from '../travel.ts'
import { Denial, granted, type OneFile, type Wanted } from './grant.ts'

export type RangedFile = OneFile & {
  /** As the user gave it, before any redirect. */
  readonly request: Request
  readonly line: Line
}

/** A connection, which is kept from one part to the next; when it breaks, the next part gets another one. */
export class Lane {
  readonly #file: RangedFile
  readonly #kept = new Kept()
  #first: SourceBody | null
  #found: Request
  #isNew: boolean

  /** @param first what is open already, and begins with the first part that will be asked for */
  constructor(file: RangedFile, first: SourceBody | null = null) {
    this.#file = file
    this.#found = file.request
    this.#first = first
    this.#isNew = first === null
  }

  /** Whether nothing has come over it. */
  get isNew(): boolean {
    return this.#isNew
  }

  /**
   * Asks for a part. The body may end before it is whole.
   * @throws Outage SOURCE_UNAVAILABLE when the file is another one; the reason of an abort
   */
  async open(wanted: Wanted, signal: AbortSignal): Promise<SourceBody | Denial> {
    const first = this.#first
    this.#first = null
    if (first) return first
    const arrival = await this.#ask(wanted, signal)
    if (arrival instanceof Denial) return arrival
    const body = await this.#take(arrival, wanted, signal)
    this.#isNew &&= body instanceof Denial
    return body
  }

  async close(): Promise<void> {
    this.#first?.destroy()
    await this.#kept.close()
  }

  async #ask(wanted: Wanted, signal: AbortSignal): Promise<Arrival | Denial> {
    try {
      return await this.#travel(wanted, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Failure) return new Denial('refused', error)
      throw error
    }
  }

  /**
   * Goes straight to where redirects led before, so that they cost nothing for each part. That may have been a place for
   * a while only: then they are asked again.
   */
  async #travel(wanted: Wanted, signal: AbortSignal): Promise<Arrival> {
    const straight = await this.#to(this.#found, wanted, signal)
    const isLost = this.#found !== this.#file.request && gone.has(straight.answer.status)
    if (isLost) await straight.answer.release()
    const arrival = isLost ? await this.#to(this.#file.request, wanted, signal) : straight
    this.#found = arrival.request
    return arrival
  }

  #to(request: Request, { at, end }: Wanted, signal: AbortSignal): Promise<Arrival> {
    const { line, version } = this.#file
    const headers = { range: `bytes=${at}-${end - 1}`, 'if-range': version }
    return travel(request, headers, { ...line, kept: this.#kept }, signal)
  }

  async #take({ answer, request }: Arrival, wanted: Wanted, signal: AbortSignal) {
    try {
      const part = granted(answer, wanted, this.#file, request.url)
      // Bytes are counted where they are put together.
      const { silence, pace } = this.#file.line
      const options = { silence, pace, tally: uncounted }
      if (!(part instanceof Denial)) return new SourceBody(answer, part, options, signal)
      await answer.release()
      return part
    } catch (error) {
      await answer.release()
      throw error
    }
  }
}

/** How a place answers whose signature has run out or whose file has moved. */
const gone = new Set([400, 401, 403, 404, 410])
