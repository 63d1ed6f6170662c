import { cutShort, readAll } from './pieces.ts'
import type { WholeFile } from './survey.ts'

/** Tables are read and kept in slices; a slice of L2 entries stands for 512 MiB of the disk at the usual cluster size. */
const sliceLength = 65_536
/** 2 MiB of entries: enough for a disk of 16 GiB to be read at random without reading a table twice. */
const mostSlices = 32

/** Keeps the slices of tables that were used last. */
export class TableCache {
  readonly #file: WholeFile
  /** In the order of their use. */
  readonly #slices = new Map<number, DataView>()

  constructor(file: WholeFile) {
    this.#file = file
  }

  /**
   * `length` bytes of an entry, which does not reach over a multiple of its length.
   * @throws Flaw INVALID_HEADER when the file ends before
   */
  async words(offset: number, length: number, signal: AbortSignal): Promise<DataView> {
    const end = offset + length
    if (end > this.#file.size) throw cutShort('table entry', end, this.#file)
    const start = offset - (offset % sliceLength)
    const slice = this.#slices.get(start) ?? (await this.#read(start, signal))
    this.#keep(start, slice)
    return new DataView(slice.buffer, slice.byteOffset + offset - start, length)
  }

  async #read(start: number, signal: AbortSignal): Promise<DataView> {
    const length = Math.min(sliceLength, this.#file.size - start)
    return await readAll(this.#file, { name: 'table', offset: start, length }, signal)
  }

  #keep(start: number, slice: DataView): void {
    this.#slices.delete(start)
    this.#slices.set(start, slice)
    const [oldest] = this.#slices.keys()
    if (this.#slices.size > mostSlices && oldest !== undefined) this.#slices.delete(oldest)
  }
}
