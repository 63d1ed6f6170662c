import { lutimes, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect } from 'vitest'
import { z } from 'zod'
import { expectWhole } from '../support/damage.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { expectOnly } from '../support/leftovers.ts'
import { collectAll } from '../support/model-upkeep.ts'
import { RegistryClient } from '../support/registry-client.ts'
import { get, problemOf, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { FailingDisk, type Damage, type Fault } from './failing-disk.ts'

/** What a client of a service with a broken disk may be told; everything else is a defect. */
const told = new Map([
  [503, ['STORAGE_UNAVAILABLE']],
  [507, ['STORAGE_FULL']],
])

const ociErrors = z.object({ errors: z.tuple([z.object({ code: z.string() })]) })

/** From the moment the disk is whole again until the service says so, in milliseconds. */
const healsWithin = 15_000

/** A service on a disk that fails when it is told to, with an image that was there before. */
export class DiskStage implements AsyncDisposable {
  readonly service: Service
  readonly folder: string
  readonly disk: FailingDisk
  readonly neighbour: Neighbour
  readonly registry: RegistryClient
  /** Pushes that a client has begun and not ended. */
  readonly begun: string[] = []
  readonly kept = disk(mebibyte)
  readonly #held: AsyncDisposableStack
  #serial = 0

  private constructor(
    { service, disk, neighbour }: Pick<DiskStage, 'service' | 'disk' | 'neighbour'>,
    folder: string | null,
    held: AsyncDisposableStack,
  ) {
    this.service = service
    this.folder = folder ?? service.folder
    this.disk = disk
    this.neighbour = neighbour
    this.registry = new RegistryClient(() => service.base)
    this.#held = held
  }

  /** @param folder of the data, where it is not to be a temporary one of the service's own */
  static async set(folder: string | null = null): Promise<DiskStage> {
    await using held = new AsyncDisposableStack()
    const failing = held.use(await FailingDisk.make())
    const data = folder === null ? {} : { SLIPWAY_DATA_DIR: folder }
    const neighbour = held.use(await startNeighbour())
    const service = held.use(await startService({ ...failing.variables, ...data }))
    const stage = new DiskStage({ service, disk: failing, neighbour }, folder, held.move())
    expect((await send(await service.rest.createUpload('kept'), stage.kept)).status).toBe(201)
    return stage
  }

  /** A name that nothing has had. */
  name(): string {
    this.#serial += 1
    return `image-${this.#serial}`
  }

  /** Does something while the disk fails, which may end as it likes. */
  async under(fault: Fault, work: () => Promise<unknown>): Promise<Damage> {
    await this.disk.fail(fault)
    await work()
    return await this.disk.heal()
  }

  /** Waits until the service says that it can work, by itself. */
  async heals(): Promise<void> {
    const look = async () => {
      const answer = await get(`${this.service.base}/readyz`)
      return await answer.text()
    }
    await expect.poll(look, { timeout: healsWithin }).toBe('ok\n')
  }

  /** What was there before the fault is there, and nothing else: at once, or at the latest after one sweep. */
  async expectTidy(): Promise<void> {
    const { folder } = this
    await expectWhole(this.service, 'kept', this.kept)
    // What a deletion frees goes right behind its answer.
    const soon = expect.poll(() => onlyKept(folder), { timeout: 500, interval: 100 })
    const isTidy = await soon.toBe(null).then(
      () => true,
      () => false,
    )
    if (isTidy) return
    await ageAll(folder)
    await collectAll(this.service)
    if ((await onlyKept(folder)) === null) return
    // What is staged and nobody's is only taken for such after a day in one process, or by the next one.
    await this.service.kill()
    await this.service.start()
    await expectOnly(folder, ['kept'])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }
}

/** @returns what is there beside it */
async function onlyKept(folder: string): Promise<string | null> {
  return await expectOnly(folder, ['kept']).then(
    () => null,
    (error: unknown) => String(error),
  )
}

/** As if two days went by, while the service runs. */
async function ageAll(folder: string): Promise<void> {
  const long = Date.now() - 2 * 86_400_000
  const catalog = new Sqlite(join(folder, 'catalog.sqlite'))
  try {
    catalog.prepare('UPDATE leases SET expires_at = ?').run(long)
    catalog.prepare('UPDATE push_sessions SET touched_at = ?').run(long)
  } finally {
    catalog.close()
  }
  const before = new Date(long)
  for (const part of ['blobs', 'staging', 'repositories']) {
    for (const path of await readdir(join(folder, part), { recursive: true })) {
      await lutimes(join(folder, part, path), before, before)
    }
  }
}

/**
 * @returns whether it is done; else the client has been told why not
 * @throws Error when an answer is neither
 */
export async function isDone(answer: Response, ...statuses: readonly number[]): Promise<boolean> {
  if (statuses.includes(answer.status)) return true
  const code = await failureOf(answer)
  if (told.get(answer.status)?.includes(code)) return false
  throw new Error(`${answer.url} answered ${answer.status} ${code} where the disk has failed`)
}

async function failureOf(answer: Response): Promise<string> {
  if (!new URL(answer.url).pathname.startsWith('/v2/')) return (await problemOf(answer)).code
  const text = await answer.text()
  // The registry's envelope has no code for it: its words are the service's own.
  const [{ code }] = ociErrors.parse(JSON.parse(text)).errors
  return code === 'UNSUPPORTED' || code === 'TOOMANYREQUESTS'
    ? /full|only .* left/.test(text)
      ? 'STORAGE_FULL'
      : 'STORAGE_UNAVAILABLE'
    : code
}
