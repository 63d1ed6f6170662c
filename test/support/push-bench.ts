import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pino } from 'pino'
import { Catalog } from '../../src/catalog/catalog.ts'
import { digestOf, type Digest } from '../../src/image/digest.ts'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import type { Store } from '../../src/store/store.ts'
import { Collector } from '../../src/work/collect.ts'
import { Pushes } from '../../src/work/pushes.ts'
import type { Chunk } from '../../src/work/receive.ts'
import { recover } from '../../src/work/recover.ts'
import { Repositories } from '../../src/work/repositories.ts'
import { Room } from '../../src/work/room.ts'
import { TestClock } from './catalog.ts'
import { temporaryFolder } from './temporary.ts'

export const never = new AbortController().signal
export const hour = 3_600_000

const log = pino({ level: 'silent' })

/**
 * Pushes and repositories on real files, and a clock that is told to go on.
 * @param where the catalog is: in memory, or in a file of that name
 */
export async function openBench(where = ':memory:') {
  await using resources = new AsyncDisposableStack()
  const clock = new TestClock()
  const folder = resources.use(await temporaryFolder())
  const path = where === ':memory:' ? where : join(folder.path, where)
  const catalog = resources.use(await Catalog.open({ path, now: clock.now }))
  const store = await FilesystemStore.open(folder.path)
  const assemble = (over: Store) => {
    const room = new Room(catalog, over, { maxImageSize: 2 ** 40, storageLimit: null })
    const collector = new Collector(catalog, over, log)
    const shared = { catalog, store: over, room, collector, now: clock.now, log }
    return { pushes: new Pushes(shared), repositories: new Repositories(shared), collector }
  }
  const first = assemble(store)
  const held = resources.move()
  return {
    clock,
    catalog,
    store,
    folder: folder.path,
    ...first,
    /** The same on another store. */
    assemble,
    /** As the service begins after a crash: nothing is left in memory. */
    async restart() {
      await recover({ catalog, store, idle: hour, now: clock.now })
      return assemble(store)
    },
    /** What runs every few minutes. */
    async sweep({ pushes, collector } = first) {
      await pushes.sweep()
      await catalog.transaction(({ leases }) => leases.prune())
      await collector.sweep(never)
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** A session with some bytes in it. */
export async function begunIn(
  { pushes }: { readonly pushes: Pushes },
  repository: string,
  text = 'the bytes',
): Promise<string> {
  const id = await pushes.begin(repository, 'sha256')
  if (text !== '') await pushes.append(repository, id, chunk(text, 0), never)
  return id
}

/** A part of a blob as a request brings it. */
export function chunk(bytes: Uint8Array | string, start: number | null = null): Chunk {
  const all = Buffer.from(bytes)
  return { body: Readable.from(all.length > 0 ? [all] : []), start, size: all.length }
}

export const nothing = () => chunk('')

export function blobOf(text: string): { digest: Digest; size: number; bytes: Buffer } {
  const bytes = Buffer.from(text)
  return { digest: digestOf(bytes), size: bytes.length, bytes }
}
