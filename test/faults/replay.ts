import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** So much of what a client says is kept to be said again, in bytes. */
const most = 4 * 1024 ** 2
/** From the last byte until nobody waits for further answers, in milliseconds: a part of a request has none. */
const patience = 1_500
/** Between two looks whether everything has been answered, in milliseconds. */
const between = 20

/** What a client says, said a second time to the server over a connection of its own, whose answers nobody hears. */
export class Replay {
  /** Resolves when everything has been said, and answered where it was whole. */
  readonly done: Promise<void>
  readonly #over: Promise<void>
  readonly #ended = Promise.withResolvers<void>()
  readonly #started = Promise.withResolvers<void>()
  readonly #words: Buffer[] = []
  #size = 0
  #heard = ''
  #answers = 0
  #write: ((words: Buffer) => void) | null = null

  /**
   * @param isLate only when the first answer comes
   * @param over resolves when the cable is taken away
   */
  constructor(target: string, isLate: boolean, over: Promise<void>) {
    this.#over = over
    if (!isLate) this.#started.resolve()
    this.done = this.#play(target)
  }

  hear(isFromClient: boolean, bytes: Buffer): void {
    if (!isFromClient) return this.#started.resolve()
    const words = bytes.subarray(0, most - this.#size)
    this.#size += words.length
    this.#words.push(words)
    this.#write?.(words)
  }

  /** The client says nothing more. */
  end(): void {
    this.#started.resolve()
    this.#ended.resolve()
  }

  async #play(target: string): Promise<void> {
    await this.#started.promise
    const { hostname, port } = new URL(target)
    const socket = connect(Number(port), hostname)
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.on('error', () => socket.destroy()).on('data', (bytes) => this.#listen(bytes))
    for (const words of this.#words) socket.write(words)
    this.#write = (words) => void socket.write(words)
    await Promise.race([this.#ended.promise, closed, this.#over])
    await Promise.race([this.#answered(), closed, this.#over])
    socket.destroy()
    await closed
  }

  /** Heads alone are looked for; that of an answer to come may be cut in two. */
  #listen(bytes: Buffer): void {
    const text = this.#heard.slice(-40) + bytes.toString('latin1')
    this.#answers +=
      countOf(text, /HTTP\/1\.1 [2-5]\d\d /g) -
      countOf(this.#heard.slice(-40), /HTTP\/1\.1 [2-5]\d\d /g)
    this.#heard = text.slice(-40)
  }

  async #answered(): Promise<void> {
    const requests = countOf(Buffer.concat(this.#words).toString('latin1'), /\r\nhost: /gi)
    const until = performance.now() + patience
    while (this.#answers < requests && performance.now() < until) {
      await pause(between, null, { ref: false })
    }
  }
}

function countOf(text: string, what: RegExp): number {
  return text.match(what)?.length ?? 0
}
