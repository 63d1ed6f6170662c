import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { errno } from '../errors.ts'
import { isSlab } from './slabs.ts'

/** What direct writes are a multiple of on every disk and filesystem that has them. */
const block = 4096

/**
 * A file that grows from its start to its end. Whole slabs pass by the page cache where the filesystem allows that
 * (open(2), O_DIRECT): it costs a third of the time, and an upload of 40 GB does not push out what nodes are pulling.
 */
export class StagedFile implements AsyncDisposable {
  readonly handle: FileHandle
  #direct: FileHandle | null

  private constructor(handle: FileHandle, direct: FileHandle | null) {
    this.handle = handle
    this.#direct = direct
  }

  /** @param flags `wx+` for a new file, `r+` for one that is there */
  static async open(path: string, flags: 'wx+' | 'r+'): Promise<StagedFile> {
    const handle = await open(path, flags)
    try {
      return new StagedFile(handle, await openDirect(path))
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** May write a part only, as a disk does that is nearly full; returns how many bytes. */
  async write(buffers: readonly Buffer[], position: number): Promise<number> {
    const direct = isAligned(buffers, position) ? this.#direct : null
    if (!direct) return (await this.handle.writev([...buffers], position)).bytesWritten
    try {
      return (await direct.writev([...buffers], position)).bytesWritten
    } catch (error) {
      // Some filesystems take the flag and refuse the write.
      if (errno(error) !== 'EINVAL') throw error
      this.#direct = null
      await direct.close()
      return await this.write(buffers, position)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#direct?.close()
    } finally {
      await this.handle.close()
    }
  }
}

async function openDirect(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_WRONLY | constants.O_DIRECT)
  } catch (error) {
    if (errno(error) === 'EINVAL') return null
    throw error
  }
}

function isAligned(buffers: readonly Buffer[], position: number): boolean {
  return (
    position % block === 0 &&
    buffers.every(
      (bytes) => isSlab(bytes) && bytes.byteOffset % block === 0 && bytes.length % block === 0,
    )
  )
}
