import { Duplex } from 'node:stream'
import { Flaw } from '../errors.ts'
import { BusyClock, usualAllowance, type Allowance } from './busy-clock.ts'
import type { Decoder, Give } from './decoder.ts'

/** As much as a decoder gives at once, so that it works on while its reader writes. */
const readAhead = 1_048_576

type Done = (error?: Error | null) => void

/** A decoder as a stream: backpressure both ways, the time it may take, and its end when the stream is destroyed. */
export class DecodingStream extends Duplex {
  readonly #name: string
  readonly #decoder: Decoder
  readonly #clock: BusyClock
  #working = false
  /** Those who gave bytes while the reader had enough. */
  #waiting: (() => void)[] = []

  constructor(name: string, open: (give: Give) => Decoder, allowance: Allowance = usualAllowance) {
    super({ readableHighWaterMark: readAhead })
    this.#name = name
    this.#clock = new BusyClock(allowance, (spent) => void this.#judge(spent))
    this.#decoder = open((bytes) => this.#give(bytes))
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#clock.pass(chunk.length)
    this.#watch(this.#decoder.write(chunk), done)
  }

  override _final(done: Done): void {
    this.#watch(this.#decoder.end(), (error) => {
      if (!error) this.push(null)
      done(error)
    })
  }

  override _read(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resume of waiting) resume()
    this.#keepTime()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#working = false
    this.#keepTime()
    this.#decoder.close()
    done(error)
  }

  #watch(work: Promise<void>, done: Done): void {
    this.#working = true
    this.#keepTime()
    const finish = (error?: Error) => {
      if (this.destroyed) return
      this.#working = false
      this.#keepTime()
      done(error)
    }
    work.then(() => finish(), finish)
  }

  #give(bytes: Uint8Array): void | Promise<void> {
    if (this.destroyed) return
    this.#clock.pass(bytes.length)
    if (this.push(bytes)) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    this.#keepTime()
    return promise
  }

  /** The clock says that it took too long; where the processor's time is known, that decides. */
  async #judge(spent: number): Promise<void> {
    const used = await this.#decoder.cpuTime?.().catch(() => spent)
    if (!this.#working) return
    const waited = Math.floor(spent - (used ?? spent))
    if (waited <= 0) {
      this.destroy(tooSlow(this.#name))
      return
    }
    this.#clock.forgive(waited)
    this.#keepTime()
  }

  #keepTime(): void {
    if (this.#working && this.#waiting.length === 0) this.#clock.start()
    else this.#clock.stop()
  }
}

function tooSlow(name: string): Flaw {
  return new Flaw(
    'DECOMPRESSION_LIMIT',
    `the ${name} file takes far too long to unpack for its size, as one made to keep a server busy does; ` +
      'compress the disk again with the usual program',
  )
}
