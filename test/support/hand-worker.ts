import { pino } from 'pino'
import type { Catalog } from '../../src/catalog/catalog.ts'
import type { JobKind } from '../../src/catalog/schema.ts'
import { Queue, type Worker } from '../../src/work/queue.ts'
import { newImage, openCatalog } from './catalog.ts'

const log = pino({ level: 'silent' })

/** A worker whose jobs end when the test says so. */
export class HandWorker implements Worker {
  readonly begun: string[] = []
  readonly #ends = new Map<string, (again: number | null) => void>()
  readonly #catalog: Catalog
  readonly #waiting: (() => void)[] = []
  most = 0

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  async run({ imageUid }: { imageUid: string }): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<number | null>()
    this.#ends.set(imageUid, resolve)
    this.begun.push(imageUid)
    this.most = Math.max(this.most, this.#ends.size)
    for (const tell of this.#waiting.splice(0)) tell()
    const again = await promise
    this.#ends.delete(imageUid)
    await this.#catalog.transaction(({ jobs }) =>
      again === null
        ? jobs.remove(imageUid)
        : jobs.postpone(imageUid, { runAfter: again, retryUntil: null, progress: 0 }),
    )
  }

  progress = () => 0
  lose = () => {}

  async untilBegun(count: number): Promise<void> {
    while (this.begun.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** @param again when its next attempt is due; null when it is done */
  end(imageUid: string, again: number | null = null): void {
    this.#ends.get(imageUid)?.(again)
  }
}

/** A queue over a catalog of its own, not started yet. */
export async function openQueue(concurrency: number) {
  const opened = await openCatalog()
  const { catalog, clock } = opened
  const add = async (name: string, kind: JobKind = 'import', origin = '') => {
    await catalog.transaction(async ({ images, jobs }) => {
      await images.add(newImage(name))
      await jobs.add(`uid-${name}`, { kind, origin })
    })
  }
  const worker = new HandWorker(catalog)
  const queue = new Queue({ catalog, worker, concurrency, now: clock.now, log })
  return { ...opened, worker, queue, add }
}
