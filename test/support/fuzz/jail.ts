import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { placeVariables } from '../place.ts'
import { Service, type Variables } from '../service.ts'
import { temporaryFolder } from '../temporary.ts'

/** What a data folder holds. */
const known =
  /^(?:catalog\.sqlite(?:-wal|-shm)?|lock(?:-journal)?|server\.key|blobs|staging|repositories|scratch)$/

/** A service whose every folder lies in one that is looked at: where it runs, its home, what is temporary. */
export class Jail implements AsyncDisposable {
  readonly folder: string
  readonly service: Service
  readonly #held: AsyncDisposableStack

  private constructor(folder: string, service: Service, held: AsyncDisposableStack) {
    this.folder = folder
    this.service = service
    this.#held = held
  }

  static async start(variables: (folder: string) => Promise<Variables>): Promise<Jail> {
    await using held = new AsyncDisposableStack()
    const { path } = held.use(await temporaryFolder())
    const [data, home, work, temporary] = ['data', 'home', 'work', 'tmp'].map((name) =>
      join(path, name),
    )
    if (!data || !home || !work || !temporary) throw new Error('four folders are named')
    for (const folder of [data, home, work, temporary]) await mkdir(folder)
    const given = { HOME: home, TMPDIR: temporary, ...placeVariables(data) }
    const all = { ...given, ...(await variables(path)) }
    const service = held.use(new Service(data, all, work))
    await service.start()
    return new Jail(path, service, held.move())
  }

  /** Every file and folder but those of the data. */
  async outside(): Promise<readonly string[]> {
    const own = await readdir(this.folder, { recursive: true })
    return own.filter((path) => !path.startsWith(join('data', ''))).toSorted()
  }

  /** Everything is as it was, and in the data folder are its own files alone. */
  async expectSame(before: readonly string[]): Promise<void> {
    expect((await this.outside()).filter((path) => !path.startsWith('data'))).toEqual(
      before.filter((path) => !path.startsWith('data')),
    )
    const data = await readdir(this.service.folder)
    expect(data.filter((name) => !known.test(name))).toEqual([])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#held.disposeAsync()
  }
}
