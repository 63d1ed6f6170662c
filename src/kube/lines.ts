import { Outage } from '../errors.ts'

const newline = 10

/**
 * The lines of a body, without those that are empty.
 * @param longest bytes of a line
 * @throws Outage CLUSTER_UNAVAILABLE when a line is longer, or the body ends within one
 */
export async function* lines(
  body: AsyncIterable<Uint8Array>,
  longest: number,
): AsyncGenerator<string> {
  const line = new Line(longest)
  for await (const chunk of body) {
    let from = 0
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      line.add(chunk.subarray(from, at))
      if (!line.isEmpty) yield line.take()
      from = at + 1
    }
    line.add(chunk.subarray(from))
  }
  if (!line.isEmpty) throw new Outage('CLUSTER_UNAVAILABLE', 'an answer broke off within a line')
}

class Line {
  readonly #longest: number
  #pieces: Uint8Array[] = []
  #size = 0

  constructor(longest: number) {
    this.#longest = longest
  }

  get isEmpty(): boolean {
    return this.#size === 0
  }

  add(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#size += piece.length
    if (this.#size > this.#longest) {
      throw new Outage('CLUSTER_UNAVAILABLE', `a line has more than ${this.#longest} bytes`)
    }
    this.#pieces.push(piece)
  }

  take(): string {
    const text = Buffer.concat(this.#pieces, this.#size).toString()
    this.#pieces = []
    this.#size = 0
    return text
  }
}
