import { readAll } from './pieces.ts'
import type { WholeFile } from './survey.ts'

/** Entries of variable length are read so many bytes at a time. */
const windowLength = 65_536

/** Reads small records that follow each other, without a read of the file for each. */
export class Cursor {
  readonly #file: WholeFile
  readonly #name: string
  #start = 0
  #window: DataView = new DataView(new ArrayBuffer(0))

  constructor(file: WholeFile, name: string) {
    this.#file = file
    this.#name = name
  }

  /**
   * `length` bytes, at most `windowLength`, at `offset`; valid until the next read.
   * @throws Flaw INVALID_HEADER when the file ends before
   */
  async read(offset: number, length: number, signal: AbortSignal): Promise<DataView> {
    const end = offset + length
    if (offset < this.#start || end > this.#start + this.#window.byteLength) {
      const rest = Math.max(length, Math.min(windowLength, this.#file.size - offset))
      const stretch = { name: this.#name, offset, length: rest }
      this.#window = await readAll(this.#file, stretch, signal)
      this.#start = offset
    }
    const { buffer, byteOffset } = this.#window
    return new DataView(buffer, byteOffset + offset - this.#start, length)
  }
}
