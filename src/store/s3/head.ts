import { randomUUID } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

/** What an inspection looks at again lies in the first 2 MiB of a disk, behind the head of its layer. */
const most = 4 * 1024 * 1024

/**
 * The first bytes of what is uploaded, kept in the scratch folder: they can be looked at while the parts of an open upload
 * cannot. It has no name, so that nothing is left of it.
 */
export class Head {
  readonly #file: FileHandle
  readonly #length: number

  private constructor(file: FileHandle, length: number) {
    this.#file = file
    this.#length = length
  }

  static async keep(scratch: string, start: Buffer): Promise<Head> {
    const path = join(scratch, `head-${randomUUID()}`)
    const file = await open(path, 'wx+')
    try {
      await rm(path)
      await file.writeFile(start.subarray(0, most))
      return new Head(file, Math.min(most, start.length))
    } catch (error) {
      await file.close()
      throw error
    }
  }

  has(end: number): boolean {
    return end <= this.#length
  }

  /** Bytes from `offset` on; it has all of them. */
  async fill(buffer: Buffer, offset: number): Promise<void> {
    for (let filled = 0; filled < buffer.length;) {
      const { bytesRead } = await this.#file.read(
        buffer,
        filled,
        buffer.length - filled,
        offset + filled,
      )
      if (bytesRead === 0) throw new Error('the head is shorter than what was kept of it')
      filled += bytesRead
    }
  }

  /** Other bytes at the start. */
  async amend(bytes: Uint8Array): Promise<void> {
    await this.#file.write(bytes, 0, Math.min(bytes.length, this.#length), 0)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }
}
