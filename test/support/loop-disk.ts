import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { run } from './shell.ts'
import { temporaryFolder } from './temporary.ts'

/** As `needs`, for a filesystem in a file. */
export function needsLoopDisk(): boolean {
  if (canMount()) return true
  console.warn(
    'no loop device can be mounted here, so the tests of a disk that becomes read-only are skipped; to run them: be root (in a container: --privileged)',
  )
  return false
}

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-loop-'))
  const image = join(folder, 'image')
  const done = (program: string, ...args: readonly string[]) =>
    spawnSync(program, args).status === 0
  try {
    return (
      done('truncate', '-s', '16M', image) &&
      done('mkfs.ext4', '-q', image) &&
      done('mount', '-o', 'loop', image, join(folder, '.')) &&
      done('umount', folder)
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** An ext4 that becomes read-only by itself when it finds an error, as most servers mount it. */
export class LoopDisk implements AsyncDisposable {
  readonly path: string
  readonly #image: string
  readonly #folder: AsyncDisposable

  private constructor(path: string, image: string, folder: AsyncDisposable) {
    this.path = path
    this.#image = image
    this.#folder = folder
  }

  static async mount(bytes: number): Promise<LoopDisk> {
    const folder = await temporaryFolder()
    const [image, path] = [join(folder.path, 'image'), join(folder.path, 'disk')]
    await mkdir(path)
    await run('truncate', ['-s', String(bytes), image])
    await run('mkfs.ext4', ['-q', '-F', image])
    const disk = new LoopDisk(path, image, folder)
    await disk.#mount()
    return disk
  }

  /** The filesystem finds an error in itself. */
  async findError(): Promise<void> {
    const device = basename((await run('findmnt', ['-no', 'SOURCE', this.path])).trim())
    await writeFile(`/sys/fs/ext4/${device}/trigger_fs_error`, 'as a test wants it')
  }

  /** What an administrator does: nobody may have it open. */
  async repair(): Promise<void> {
    await run('umount', [this.path])
    // Exit code 1: errors were corrected.
    const { status, stdout } = spawnSync('e2fsck', ['-fy', this.#image])
    if (status !== 0 && status !== 1) throw new Error(`e2fsck: ${String(stdout)}`)
    await this.#mount()
  }

  async #mount(): Promise<void> {
    await run('mount', ['-o', 'loop,errors=remount-ro', this.#image, this.path])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', ['-l', this.path])
    await this.#folder[Symbol.asyncDispose]()
  }
}
