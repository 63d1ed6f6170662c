import { Refusal } from '../../errors.ts'
import { unless } from '../../unless.ts'

export type BodyLimits = {
  /** Bytes of one. */
  readonly body: number
  /** What all that are under way may take of memory, in bytes. */
  readonly bodies: number
}

/** What a byte of a body takes as long as its review is under way: as it came, as text, and in the strings of its values. */
const ofByte = 4
/** What values take beside that, by the signs outside of strings that make them. */
const ofSign = new Map([
  ['{', 64],
  ['[', 64],
  [',', 64],
  // Names that have not been seen before are the dearest.
  [':', 256],
])
const costs = Uint16Array.from({ length: 256 }, (_, byte) => ofByte + costOf(byte))
const [quote, backslash] = [...Buffer.from('"\\')]

function costOf(byte: number): number {
  return ofSign.get(String.fromCharCode(byte)) ?? 0
}

/**
 * Bodies of the reviews that are under way. Whoever reaches the port may send some, so all of them together are bounded: when
 * they become too much the one that takes most is given up, which is no review of an object of usual size.
 */
export class Bodies {
  readonly #limits: BodyLimits
  readonly #open = new Set<Body>()

  constructor(limits: BodyLimits) {
    this.#limits = limits
  }

  /** Counted until it is disposed of. */
  open(): Body {
    const body = new Body(this.#limits.body, {
      grown: () => this.#bound(),
      ended: () => this.#open.delete(body),
    })
    this.#open.add(body)
    return body
  }

  #bound(): void {
    const all = [...this.#open]
    const cost = all.reduce((sum, body) => sum + body.cost, 0)
    if (cost <= this.#limits.bodies) return
    const [largest] = all.toSorted((one, other) => other.cost - one.cost)
    if (!largest) return
    this.#open.delete(largest)
    largest.giveUp()
  }
}

type Owner = { readonly grown: () => void; readonly ended: () => void }

class Body implements Disposable {
  readonly #most: number
  readonly #owner: Owner
  readonly #given = new AbortController()
  #cost = 0
  #isInString = false
  #isEscaped = false

  constructor(most: number, owner: Owner) {
    this.#most = most
    this.#owner = owner
  }

  /** What it takes of memory, in bytes, with what is made of it. */
  get cost(): number {
    return this.#cost
  }

  /** Ends when it is given up. */
  get signal(): AbortSignal {
    return this.#given.signal
  }

  giveUp(): void {
    const message = 'the reviews that are under way take too much memory, and this one most of it'
    this.#given.abort(new Refusal('TOO_MANY_REQUESTS', message))
  }

  /** @throws Refusal CONTENT_TOO_LARGE, and TOO_MANY_REQUESTS when it is given up; what the stream fails with */
  async text(stream: ReadableStream<Uint8Array> | null): Promise<string> {
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of this.#chunks(stream)) {
      size += chunk.length
      if (size > this.#most) {
        throw new Refusal('CONTENT_TOO_LARGE', `a review has at most ${this.#most} bytes`)
      }
      this.#weigh(chunk)
      this.signal.throwIfAborted()
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString()
  }

  [Symbol.dispose](): void {
    this.#owner.ended()
  }

  async *#chunks(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
    if (!stream) return
    const reader = stream.getReader()
    for (;;) {
      // One that comes slowly, or not at all, is given up, too.
      const { done, value } = await unless(this.signal, reader.read())
      if (done) return
      yield value
    }
  }

  #weigh(chunk: Uint8Array): void {
    for (const byte of chunk) this.#cost += this.#costOf(byte)
    this.#owner.grown()
  }

  #costOf(byte: number): number {
    const wasEscaped = this.#isEscaped
    this.#isEscaped = this.#isInString && !wasEscaped && byte === backslash
    if (byte === quote && !wasEscaped) this.#isInString = !this.#isInString
    return this.#isInString ? ofByte : (costs[byte] ?? ofByte)
  }
}
