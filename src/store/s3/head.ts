import { randomUUID } from 'node:crypto'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { errno } from '../../errors.ts'

/** What an inspection looks at again lies in the first 2 MiB of a disk, behind the head of its layer. */
const most = 4 * 1024 * 1024

const full = new Set(['ENOSPC', 'EDQUOT'])

/**
 * The first bytes of what is uploaded, kept in the scratch folder: they can be looked at while the parts of an open upload
 * cannot. It has no name, so that nothing is left of it. Where the folder is full they stay in memory: a transfer whose
 * length is known needs no room there.
 */
export class Head {
  readonly #file: FileHandle | Buffer
  readonly #length: number

  private constructor(file: FileHandle | Buffer, length: number) {
    this.#file = file
    this.#length = length
  }

  static async keep(scratch: string, start: Buffer): Promise<Head> {
    try {
      return await Head.#keepIn(scratch, start)
    } catch (error) {
      if (!full.has(errno(error) ?? '')) throw error
      const bytes = Buffer.from(start.subarray(0, most))
      return new Head(bytes, bytes.length)
    }
  }

  static async #keepIn(scratch: string, start: Buffer): Promise<Head> {
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
    const file = this.#file
    if (Buffer.isBuffer(file)) {
      file.copy(buffer, 0, offset)
      return
    }
    for (let filled = 0; filled < buffer.length;) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, offset + filled)
      if (bytesRead === 0) throw new Error('the head is shorter than what was kept of it')
      filled += bytesRead
    }
  }

  /** Other bytes at the start. */
  async amend(bytes: Uint8Array): Promise<void> {
    const length = Math.min(bytes.length, this.#length)
    if (Buffer.isBuffer(this.#file)) this.#file.set(bytes.subarray(0, length))
    else await this.#file.write(bytes, 0, length, 0)
  }

  async close(): Promise<void> {
    if (!Buffer.isBuffer(this.#file)) await this.#file.close()
  }
}
