import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import type { Variables } from '../support/service.ts'

/** What a process with `shims/clock.c` takes for the time of day. */
export class ShiftedClock implements Disposable {
  /** How far it is ahead of the machine's clock, in milliseconds. */
  by = 0
  readonly variables: Variables
  readonly #file: number

  /** @param path of a file that is made */
  constructor(path: string) {
    writeFileSync(path, Buffer.alloc(8))
    this.#file = openSync(path, 'r+')
    this.variables = { CLOCK_SHIFT_FILE: path }
  }

  /** The eight bytes change in one write: nobody reads a half of them. */
  jump(by: number): void {
    this.by += by
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(this.by))
    writeSync(this.#file, bytes, 0, bytes.length, 0)
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
  }
}
