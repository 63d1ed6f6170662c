import { EventEmitter, once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { z } from 'zod'

const lineSchema = z.looseObject({ msg: z.string() })
export type Line = z.output<typeof lineSchema>

/** How long a line may take from the service to here, in milliseconds. */
const usually = 20_000

/** What a service says, on both of its outputs. */
export class Logs {
  readonly lines: Line[] = []
  readonly #texts: string[] = []
  readonly #news = new EventEmitter()

  follow(stdout: Readable, stderr: Readable): void {
    createInterface({ input: stdout }).on('line', (text) => this.#take(text))
    createInterface({ input: stderr }).on('line', (text) => void this.#texts.push(text))
  }

  /** All that was said so far is of no interest; to be called while nobody waits for a line. */
  forget(): void {
    this.lines.length = 0
    this.#texts.length = 0
  }

  /**
   * The first line from the index `from` on that holds; those that are still to come count.
   * @param enough ends the wait, too
   */
  async line(
    holds: (line: Line) => boolean,
    from = 0,
    limit = usually,
    enough: AbortSignal | null = null,
  ): Promise<Line> {
    const signals = [AbortSignal.timeout(limit), ...(enough ? [enough] : [])]
    const signal = AbortSignal.any(signals)
    for (let index = from; ; index += 1) {
      while (index >= this.lines.length) await once(this.#news, 'line', { signal })
      const line = this.lines[index]
      if (line && holds(line)) return line
    }
  }

  toString(): string {
    return this.#texts.join('\n')
  }

  #take(text: string): void {
    this.#texts.push(text)
    this.lines.push(parsed(text))
    this.#news.emit('line')
  }
}

function parsed(text: string): Line {
  try {
    return lineSchema.parse(JSON.parse(text))
  } catch {
    return { msg: text }
  }
}
