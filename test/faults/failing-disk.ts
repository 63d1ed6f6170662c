import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '../support/temporary.ts'
import { buildShim } from './shim.ts'

/**
 * Calls of the system by what they do: bytes into a file; `fsync` and `fdatasync`; names and lengths (a new file, rename, link,
 * unlink, mkdir, rmdir, ftruncate); bytes out of a file.
 */
const calls = { write: 1, sync: 2, name: 4, read: 8 } as const
const errors = { EIO: 5, ENOSPC: 28, EROFS: 30, EDQUOT: 122 } as const

export type Call = keyof typeof calls
export type DiskError = keyof typeof errors

export type Fault = {
  readonly calls: readonly Call[]
  /** What the path of the file has to have in it. */
  readonly path: string
  readonly error: DiskError
  /** So many calls succeed before the first that fails. */
  readonly skip: number
  /** So many fail. */
  readonly fail: number
  /** Bytes of a failing write that are written all the same, 0 for none. */
  readonly part?: number
}

export type Damage = {
  /** Calls that the fault was for. */
  readonly matched: number
  readonly failed: number
  /** Files whose bytes may be lost, and which got a name all the same. */
  readonly broken: number
  /** The call that failed last, and its path; or the name that such a file got. */
  readonly last: string
}

/** Offsets in the page, as `shims/fail.c` has them. */
const at = { rest: 4, matched: 24, broken: 32, path: 36, last: 248 } as const
const pathSize = at.last - at.path
const pageSize = 504
const all = 0xffff_ffff

/** Every call, until the disk is whole again. */
export const forGood = all

/** What a process that is started with `variables` takes for its disk. It fails as it is told, while the process runs. */
export class FailingDisk implements AsyncDisposable {
  readonly variables: { readonly [variable: string]: string }
  readonly #page: FileHandle
  readonly #folder: AsyncDisposable

  private constructor(shim: string, path: string, page: FileHandle, folder: AsyncDisposable) {
    this.variables = { LD_PRELOAD: shim, FAIL_PAGE: path }
    this.#page = page
    this.#folder = folder
  }

  static async make(): Promise<FailingDisk> {
    const folder = await temporaryFolder()
    const shim = await buildShim('fail', folder.path)
    const path = join(folder.path, 'page')
    const page = await open(path, 'wx+')
    await page.write(Buffer.alloc(pageSize), 0, pageSize, 0)
    return new FailingDisk(shim, path, page, folder)
  }

  async fail(fault: Fault): Promise<void> {
    await this.#arm(false)
    const page = Buffer.alloc(pageSize - at.rest)
    const kinds = fault.calls.reduce((sum, call) => sum | calls[call], 0)
    const numbers = [kinds, errors[fault.error], fault.skip, fault.fail, fault.part ?? 0]
    for (const [index, number] of numbers.entries()) page.writeUInt32LE(number, index * 4)
    page.write(fault.path.slice(0, pathSize - 1), at.path - at.rest)
    await this.#page.write(page, 0, page.length, at.rest)
    await this.#arm(true)
  }

  /** @returns what the fault has come to */
  async heal(): Promise<Damage> {
    await this.#arm(false)
    return await this.look()
  }

  async look(): Promise<Damage> {
    const { buffer } = await this.#page.read(Buffer.alloc(pageSize), 0, pageSize, 0)
    const last = buffer.toString('utf8', at.last)
    return {
      matched: buffer.readUInt32LE(at.matched),
      failed: buffer.readUInt32LE(at.matched + 4),
      broken: buffer.readUInt32LE(at.broken),
      last: last.slice(0, last.indexOf('\0')),
    }
  }

  async #arm(isArmed: boolean): Promise<void> {
    const word = Buffer.alloc(4)
    word.writeUInt32LE(isArmed ? 1 : 0)
    await this.#page.write(word, 0, 4, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#page.close()
    await this.#folder[Symbol.asyncDispose]()
  }
}
