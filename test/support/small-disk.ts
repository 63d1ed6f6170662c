import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errno } from '../../src/errors.ts'
import { run } from './shell.ts'
import { temporaryFolder } from './temporary.ts'

const size = ['-t', 'tmpfs', '-o']

/**
 * As `needs`, for a disk of the test's own.
 * @throws Error when none can be mounted and CI is set
 */
export function needsSmallDisk(): boolean {
  if (canMount()) return true
  const line =
    'no filesystem can be mounted here, so the tests that fill one are skipped; to run them: be root (in a container: --privileged)'
  if (process.env['CI']) throw new Error(line)
  console.warn(line)
  return false
}

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-mount-'))
  try {
    const { status } = spawnSync('mount', [...size, 'size=64k', 'slipway-test', folder])
    return status === 0 && spawnSync('umount', [folder]).status === 0
  } finally {
    rmdirSync(folder)
  }
}

/** A filesystem that is small, and that others fill, too. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string
  readonly #folder: AsyncDisposable

  private constructor(path: string, folder: AsyncDisposable) {
    this.path = path
    this.#folder = folder
  }

  static async mount(bytes: number): Promise<SmallDisk> {
    const folder = await temporaryFolder()
    await run('mount', [...size, `size=${bytes}`, 'slipway-test', folder.path])
    return new SmallDisk(folder.path, folder)
  }

  /** Another program takes every byte that is left, but for so many. */
  async fill(left = 0): Promise<void> {
    await using file = await open(this.#filling, 'a')
    for (const piece of [1024 * 1024, 4096]) await fillBy(file, Buffer.alloc(piece, 1))
    const { size } = await file.stat()
    if (left > 0) await file.truncate(Math.max(0, size - left))
  }

  async free(): Promise<void> {
    await rm(this.#filling, { force: true })
  }

  get #filling(): string {
    return join(this.path, 'of-others')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', ['-l', this.path])
    await this.#folder[Symbol.asyncDispose]()
  }
}

async function fillBy(file: Awaited<ReturnType<typeof open>>, piece: Buffer): Promise<void> {
  for (;;) {
    try {
      await file.write(piece)
    } catch (error) {
      if (errno(error) === 'ENOSPC') return
      throw error
    }
  }
}
