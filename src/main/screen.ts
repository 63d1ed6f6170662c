/** At most so often, in milliseconds: more is seen by nobody. */
const drawEvery = 200

type Terminal = Pick<NodeJS.WriteStream, 'write'> & {
  readonly on: (event: 'resize', listener: () => void) => unknown
  readonly off: (event: 'resize', listener: () => void) => unknown
}

/** Lines at the bottom of a terminal that are drawn over each time, also when its size changes. */
export class Screen implements Disposable {
  readonly #terminal: Terminal
  readonly #lines: () => readonly string[]
  #height = 0
  #timer: NodeJS.Timeout | null = null
  readonly #resized = () => {
    // Where the old lines are now, nobody knows.
    this.#terminal.write('\u001B[H\u001B[J')
    this.#height = 0
    this.#draw()
  }

  /** @param lines what to draw, none longer than the terminal is wide, fewer than it is high */
  constructor(terminal: Terminal, lines: () => readonly string[]) {
    this.#terminal = terminal
    this.#lines = lines
    terminal.on('resize', this.#resized)
  }

  /** Soon. */
  draw(): void {
    this.#timer ??= setTimeout(() => this.#draw(), drawEvery)
  }

  /** What is true at last stays. Nothing is drawn where nothing was to be. */
  [Symbol.dispose](): void {
    this.#terminal.off('resize', this.#resized)
    if (this.#timer || this.#height > 0) this.#draw()
  }

  #draw(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    const lines = this.#lines()
    const up = this.#height > 0 ? `\u001B[${this.#height}A` : ''
    this.#terminal.write(`${up}\r\u001B[J${lines.map((line) => `${line}\n`).join('')}`)
    this.#height = lines.length
  }
}
