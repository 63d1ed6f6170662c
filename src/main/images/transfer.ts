import { asFailure, Flaw } from '../../errors.ts'
import { complain, interrupted, interruption } from '../command.ts'
import { plain } from '../plain.ts'
import { ProgressBar } from '../progress-bar.ts'
import { Speed } from '../speed.ts'

/** Bytes that do not come are seen, too, in milliseconds. */
const lookEvery = 500

/** What somebody sees who waits for bytes. */
export class Transfer implements Disposable {
  readonly #bar = new ProgressBar()
  readonly #speed = new Speed()
  readonly #ticks = setInterval(() => this.#draw(), lookEvery)
  #bytes: number | null = null
  #total: number | null = null
  #what = ''

  /**
   * @param total bytes; null where nobody knows
   * @param what happens to them, where they are not on their way
   */
  show(bytes: number, total: number | null, what = ''): void {
    this.#bytes = bytes
    this.#total = total
    this.#what = what
    this.#draw()
  }

  /** A line that stays. */
  say(text: string): void {
    this.#bar.say(plain(text))
  }

  /** Bytes begin to move anew, or others do. */
  pause(): void {
    this.#speed.forget()
  }

  /** `63%`; empty while nothing is on its way or where nobody knows how much there is. */
  get percent(): string {
    if (this.#total === null || this.#bytes === null || this.#what !== '') return ''
    return `${Math.floor((100 * this.#bytes) / this.#total)}%`
  }

  [Symbol.dispose](): void {
    clearInterval(this.#ticks)
    this.#bar[Symbol.dispose]()
  }

  #draw(): void {
    if (this.#bytes === null) return
    this.#speed.saw(this.#bytes)
    const share = this.#total === null ? null : this.#bytes / this.#total
    this.#bar.show(share, `${this.#what}${this.#speed.told(this.#bytes, this.#total)}`)
  }
}

/**
 * Moves bytes until it is done, or a signal comes.
 * @param stopped what is said to whoever interrupts it
 * @returns the exit code: 1 for bytes that are no good, 130 when it was interrupted
 */
export async function transferring(
  work: (transfer: Transfer, signal: AbortSignal) => Promise<number>,
  stopped: (transfer: Transfer) => string,
): Promise<number> {
  using transfer = new Transfer()
  const stop = interruption()
  try {
    return await work(transfer, stop)
  } catch (error) {
    transfer[Symbol.dispose]()
    if (!stop.aborted) return noGood(error)
    complain(stopped(transfer))
    return interrupted
  }
}

function noGood(error: unknown): 1 {
  if (!(asFailure(error) instanceof Flaw)) throw error
  complain(asFailure(error).message)
  return 1
}
