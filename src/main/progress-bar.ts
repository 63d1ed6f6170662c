/** How often a terminal's bar moves, and how often a line is written elsewhere, in milliseconds. */
const barEvery = 200
const lineEvery = 10_000
/** Characters: the bar takes what the text leaves, and goes where that is too little. */
const widestBar = 30
const narrowestBar = 8
/** Of a terminal that does not tell its width. */
const usualWidth = 80

type Screen = Pick<NodeJS.WriteStream, 'write'> & {
  readonly isTTY?: boolean
  readonly columns?: number
  /** Told when the terminal gets another width. */
  readonly on?: (event: 'resize', listener: () => void) => unknown
  readonly off?: (event: 'resize', listener: () => void) => unknown
}

/** Long work for people who wait: a bar on a terminal, a line now and then elsewhere. */
export class ProgressBar implements Disposable {
  readonly #screen: Screen
  readonly #now: () => number
  readonly #resized = () => this.#draw()
  #shownAt: number
  #isDrawn = false
  #shown: { readonly share: number | null; readonly text: string } | null = null

  constructor(screen: Screen = process.stderr, now: () => number = () => performance.now()) {
    this.#screen = screen
    this.#now = now
    this.#shownAt = now()
  }

  /** @param share of the work that is done, from 0 to 1; null while nobody knows how much there is */
  show(share: number | null, text: string): void {
    const isTerminal = this.#screen.isTTY === true
    if (this.#now() - this.#shownAt >= (isTerminal ? barEvery : lineEvery)) this.mark(share, text)
  }

  /** As `show`, at once. */
  mark(share: number | null, text: string): void {
    this.#shownAt = this.#now()
    if (this.#screen.isTTY !== true) return void this.#screen.write(`${plain(share, text)}\n`)
    if (this.#shown === null) this.#screen.on?.('resize', this.#resized)
    this.#shown = { share, text }
    this.#draw()
  }

  /** A line that stays. */
  say(text: string): void {
    this[Symbol.dispose]()
    this.#screen.write(`${text}\n`)
  }

  /** What is written next begins on a clean line. */
  [Symbol.dispose](): void {
    this.#screen.off?.('resize', this.#resized)
    this.#shown = null
    this.#clear()
  }

  /** The cursor goes back to where the line begins, and stays there when a narrower terminal breaks it into several. */
  #draw(): void {
    if (this.#shown === null) return
    const { share, text } = this.#shown
    this.#isDrawn = true
    this.#screen.write(`\r\u001B[J${fitted(share, text, this.#width)}\r`)
  }

  #clear(): void {
    if (this.#isDrawn) this.#screen.write('\r\u001B[J')
    this.#isDrawn = false
  }

  get #width(): number {
    return Math.max(1, this.#screen.columns ?? usualWidth)
  }
}

/** One column stays free: a cursor behind the last one is on the next line in some terminals. */
function fitted(share: number | null, text: string, columns: number): string {
  const room = Math.min(widestBar, columns - 1 - '[]  100% '.length - text.length)
  const isBar = share !== null && room >= narrowestBar
  return `${isBar ? `[${barOf(share, room)}] ` : ''}${plain(share, text)}`.slice(0, columns - 1)
}

function barOf(share: number, width: number): string {
  return '='.repeat(Math.round(width * Math.min(1, share))).padEnd(width)
}

function plain(share: number | null, text: string): string {
  return share === null ? text : `${Math.floor(100 * Math.min(1, share))}% ${text}`
}
