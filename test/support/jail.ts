import { mkdir, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { expect } from 'vitest'
import { repositoryText, tagText } from '../../src/image/name.ts'
import { temporaryFolder } from './temporary.ts'

const id = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'

/** Everything that a service may have on a disk, below its jail. */
const places = [
  String.raw`data/catalog\.sqlite(?:-wal|-shm)?`,
  String.raw`data/(?:lock(?:-journal)?|server\.key)`,
  String.raw`data/blobs/sha(?:256|512)/[0-9a-f]{2}/(?:[0-9a-f]{64}|[0-9a-f]{128})`,
  String.raw`data/staging/[\w-]+/\w+`,
  String.raw`data/repositories/_store/id`,
  String.raw`data/repositories/\.new/${id}`,
  String.raw`data/repositories/${repositoryText}/_tags/${tagText}`,
  String.raw`data/repositories/${repositoryText}/_manifests/sha(?:256|512)[:/-][0-9a-f]+`,
  // What a command has brought into the folder where it was run.
  String.raw`cwd/[\w-][\w.-]*`,
].map((pattern) => new RegExp(`^${pattern}$`))

/** Folders for all that a process may write to: its data, its home, its temporary files, and where it was started. */
export class Jail implements AsyncDisposable {
  readonly path: string
  readonly #undo: AsyncDisposable

  private constructor(path: string, undo: AsyncDisposable) {
    this.path = path
    this.#undo = undo
  }

  static async open(): Promise<Jail> {
    const folder = await temporaryFolder()
    const jail = new Jail(folder.path, folder)
    await Promise.all(['cwd', 'home', 'tmp'].map((name) => mkdir(jail.at(name))))
    return jail
  }

  at(name: string): string {
    return join(this.path, name)
  }

  /** What a process in here is given. Node keeps what it has compiled where all processes of this machine find it. */
  get variables() {
    return {
      SLIPWAY_DATA_DIR: this.at('data'),
      HOME: this.at('home'),
      TMPDIR: this.at('tmp'),
      NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
    }
  }

  /** No file lies where none belongs. */
  async expectContained(): Promise<void> {
    const strange = (await this.files()).filter((file) => places.every((each) => !each.test(file)))
    expect(strange, 'files outside of their places').toEqual([])
  }

  /** What is neither a folder nor vanishing meanwhile. */
  async files(): Promise<readonly string[]> {
    const entries = await readdir(this.path, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => !entry.isDirectory())
      .map(({ parentPath, name }) => relative(this.path, join(parentPath, name)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#undo[Symbol.asyncDispose]()
  }
}
