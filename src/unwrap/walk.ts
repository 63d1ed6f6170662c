/**
 * What a walk over a container wants next: bytes to look at, bytes to pass over, or a pause, where the file may end. Few
 * bytes are looked at in one piece, since they are held until they are all there.
 */
export type Want =
  | { readonly do: 'see'; readonly count: number }
  | { readonly do: 'pass'; readonly count: number }
  | { readonly do: 'pause' }

/** The walk itself: written as if all bytes were there, given those that it wants to see. */
export type Steps<Result = void> = Generator<Want, Result, Buffer>

const none = Buffer.alloc(0)

export function* see(count: number): Steps<Buffer> {
  return count === 0 ? none : yield { do: 'see', count }
}

export function* pass(count: number): Steps {
  yield { do: 'pass', count }
}

export function* pause(): Steps {
  yield { do: 'pause' }
}

/** Leads steps over the bytes of a file, however these are cut into chunks. */
export class Walk {
  readonly #steps: Steps
  #want: Want = { do: 'pause' }
  #left = 0
  #seen: Buffer[] = []
  /** Bytes walked over. */
  position = 0

  /** @param steps a function that is given this walk, whose `position` a message may tell */
  constructor(steps: (walk: Walk) => Steps) {
    this.#steps = steps(this)
    this.#next(none)
  }

  get paused(): boolean {
    return this.#want.do === 'pause'
  }

  /**
   * Walks to the end of the bytes, or to a pause before.
   * @returns the offset that was reached
   * @throws whatever the steps throw
   */
  advance(bytes: Buffer, from = 0): number {
    if (this.paused) this.#next(none)
    let at = from
    while (!this.paused) {
      const end = Math.min(bytes.length, at + this.#left)
      // Not an empty piece: the memory it lies in may be gone when the next one comes.
      if (this.#want.do === 'see' && end > at) this.#seen.push(bytes.subarray(at, end))
      this.#left -= end - at
      this.position += end - at
      at = end
      if (this.#left > 0) return at
      this.#next(this.#look())
    }
    return at
  }

  #look(): Buffer {
    const [first = none, ...others] = this.#seen
    this.#seen = []
    return others.length === 0 ? first : Buffer.concat([first, ...others])
  }

  #next(seen: Buffer): void {
    const { done, value } = this.#steps.next(seen)
    if (done) throw new RangeError('a walk has no end of its own')
    this.#want = value
    this.#left = value.do === 'pause' ? 0 : value.count
  }
}
