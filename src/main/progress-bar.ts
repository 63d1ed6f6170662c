/** How often a terminal's bar moves, and how often a line is written elsewhere, in milliseconds. */
const barEvery = 200
const lineEvery = 10_000
const barWidth = 30

type Screen = Pick<NodeJS.WriteStream, 'write'> & { readonly isTTY?: boolean }

/** Long work for people who wait: a bar on a terminal, a line now and then elsewhere. */
export class ProgressBar implements Disposable {
  readonly #screen: Screen
  readonly #now: () => number
  #shownAt: number
  #isDrawn = false

  constructor(screen: Screen = process.stderr, now: () => number = () => performance.now()) {
    this.#screen = screen
    this.#now = now
    this.#shownAt = now()
  }

  /** @param share of the work that is done, from 0 to 1; null while nobody knows how much there is */
  show(share: number | null, text: string): void {
    const isTerminal = this.#screen.isTTY === true
    if (this.#now() - this.#shownAt < (isTerminal ? barEvery : lineEvery)) return
    this.#shownAt = this.#now()
    if (share === null) return this.#count(text)
    const percent = `${Math.floor(100 * Math.min(1, share))}%`
    if (!isTerminal) return void this.#screen.write(`${percent} ${text}\n`)
    const filled = Math.round(barWidth * Math.min(1, share))
    this.#isDrawn = true
    const bar = '='.repeat(filled).padEnd(barWidth)
    this.#screen.write(`\r\u001B[K[${bar}] ${percent.padStart(4)} ${text}`)
  }

  #count(text: string): void {
    this.#isDrawn = this.#screen.isTTY === true
    this.#screen.write(this.#isDrawn ? `\r\u001B[K${text}` : `${text}\n`)
  }

  /** A line that stays. */
  say(text: string): void {
    this[Symbol.dispose]()
    this.#screen.write(`${text}\n`)
  }

  /** What is written next begins on a clean line. */
  [Symbol.dispose](): void {
    if (this.#isDrawn) this.#screen.write('\r\u001B[K')
    this.#isDrawn = false
  }
}
