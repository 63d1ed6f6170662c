import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Catalog, Tables } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import { Refusal } from '../errors.ts'
import type { DataSource } from '../image/data-source.ts'
import { imageTag, repositoryOf } from '../image/name.ts'
import { originOf } from '../image/origin.ts'
import type { Store } from '../store/store.ts'
import type { Active } from './active.ts'
import { Arrival } from './arrival.ts'
import type { Collector } from './collect.ts'
import type { Deadlines } from './deadlines.ts'
import { leaseHolder } from './publish.ts'
import type { Progress } from './progress.ts'
import type { Queue } from './queue.ts'
import { sealSecrets, splitSecrets } from './secrets.ts'
import { tokenHash, type ServerKey } from './server-key.ts'
import { tagKey } from './tag-record.ts'

export type Wanted = {
  readonly name: string
  readonly dataSource: DataSource
  readonly ownerUid: string | null
}

export type IntakeOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly collector: Collector
  readonly active: Pick<Active, 'stop'>
  readonly queue: Queue
  readonly deadlines: Deadlines
  readonly key: ServerKey
  readonly progress: Progress
  /** Checks what only the source itself knows of its section; opens nothing. */
  readonly check: (source: DataSource) => void
  readonly uploadTtl: number
  readonly now: () => number
}

/** What a user can ask for: create an image, start it again, delete it. */
export class Intake {
  readonly #options: IntakeOptions
  readonly #removing = new Map<string, Promise<void>>()

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  /**
   * Safe to repeat: the same name with the same data source answers with the image that exists.
   * @throws Refusal SPEC_DIFFERS, OWNER_DIFFERS, BEING_DELETED; what the source says of its section
   */
  async create(wanted: Wanted): Promise<{ readonly image: Image; readonly created: boolean }> {
    this.#checkSource(wanted)
    const { shown, secrets } = splitSecrets(wanted.dataSource)
    const { catalog, key } = this.#options
    const uid = randomUUID()
    const sealed = sealSecrets(secrets, uid, key)
    const result = await catalog.transaction(async (tables) => {
      const existing = await tables.images.byName(wanted.name)
      if (existing) return { image: same(existing, wanted, shown), created: false }
      const image = await tables.images.add({
        ...wanted,
        ...beginning(shown),
        uid,
        dataSource: shown,
        secrets: sealed,
      })
      await this.#begin(image, tables)
      return { image, created: true }
    })
    if (result.created) this.#wake()
    return result
  }

  /** @throws Refusal IMAGE_NOT_FOUND, NOT_RETRYABLE, SECRETS_ERASED */
  async retry(name: string): Promise<Image> {
    const image = await this.#options.catalog.transaction(async (tables) => {
      const before = await tables.images.byName(name)
      if (!before) throw unknownImage(name)
      assertRetryable(before)
      const after = await tables.images.change(before.uid, {
        ...beginning(before.dataSource),
        attempt: before.attempt + 1,
        retries: 0,
        nextRetryAt: null,
      })
      if (!after) throw unknownImage(name)
      await this.#begin(after, tables)
      return after
    })
    this.#options.progress.forget(image.uid)
    this.#wake()
    return image
  }

  /**
   * Resolves when nothing of the image is left; its transfer, if it has one, is stopped first.
   * @throws Refusal IMAGE_NOT_FOUND
   */
  async remove(name: string): Promise<void> {
    const image = await this.#options.catalog.transaction(async ({ images }) => {
      const before = await images.byName(name)
      if (!before) throw unknownImage(name)
      return await images.change(before.uid, {
        phase: 'Terminating',
        ready: { reason: before.ready.reason, message: 'the image is being deleted' },
        secrets: null,
      })
    })
    if (image) await this.finishRemoval(image)
  }

  /** Also for what a crash left Terminating. */
  async finishRemoval(image: Image): Promise<void> {
    const running = this.#removing.get(image.uid) ?? this.#removeAll(image)
    this.#removing.set(image.uid, running)
    try {
      await running
    } finally {
      this.#removing.delete(image.uid)
    }
  }

  async #removeAll(image: Image): Promise<void> {
    const { active, store, catalog, collector } = this.#options
    const { uid } = image
    // The name may belong to a newer image by now; the row keeps it until all of this one is gone.
    if ((await catalog.read.images.byUid(uid))?.phase !== 'Terminating') return
    await active.stop(uid, 'deleted')
    this.#options.progress.forget(uid)
    await store.records.remove(tagKey(image.name, imageTag))
    await Arrival.discard(uid, store)
    const left = await catalog.transaction(async (tables) => {
      const needed = await tables.manifests.removeAll(repositoryOf(image.name))
      const leased = await tables.blobs.endLeases(leaseHolder(image))
      await tables.jobs.remove(uid)
      await tables.uploads.removeOf(uid)
      await tables.images.remove(image)
      return [...needed, ...leased]
    })
    await collector.collect(left)
  }

  #checkSource({ name, dataSource: source }: Wanted): void {
    if (source.objectRef?.name === name) {
      throw new Refusal('INVALID_REQUEST', `the image "${name}" cannot be made of itself`)
    }
    this.#options.check(source)
  }

  async #begin(image: Image, { jobs, uploads }: Tables): Promise<void> {
    const { type } = image.dataSource
    if (type === 'ObjectRef') return await jobs.add(image.uid, 'reference')
    const origin = originOf(image.dataSource)
    if (origin !== null) return await jobs.add(image.uid, 'import', origin)
    const { key, now, uploadTtl } = this.#options
    await uploads.add({
      tokenHash: tokenHash(key.uploadToken(image.uid, image.attempt)),
      imageUid: image.uid,
      attempt: image.attempt,
      state: 'waiting',
      expiresAt: now() + uploadTtl,
    })
  }

  #wake(): void {
    this.#options.queue.look()
    this.#options.deadlines.look()
  }
}

/** The first phase of an attempt. */
function beginning(source: DataSource) {
  const ready = { reason: 'DatasourceReady', message: '' } as const
  if (source.type === 'Upload') {
    return {
      phase: 'WaitForUserUpload',
      ready: { reason: 'WaitForUserUpload', message: 'waiting for the upload to begin' },
      source: ready,
    } as const
  }
  return {
    phase: 'Pending',
    ready: { reason: 'ProvisioningNotStarted', message: 'the import is in the queue' },
    source: ready,
  } as const
}

function same(existing: Image, wanted: Wanted, shown: DataSource): Image {
  const { name } = wanted
  if (existing.phase === 'Terminating') {
    throw new Refusal('BEING_DELETED', `the image "${name}" is being deleted; try again soon`, {
      retryAfter: 1000,
    })
  }
  if (existing.ownerUid !== wanted.ownerUid) {
    throw new Refusal('OWNER_DIFFERS', `the image "${name}" belongs to another owner`)
  }
  if (isDeepStrictEqual(JSON.parse(JSON.stringify(shown)), existing.dataSource)) return existing
  throw new Refusal(
    'SPEC_DIFFERS',
    `the image "${name}" exists with another data source; a data source cannot be changed: delete the image and create it again`,
  )
}

function assertRetryable(image: Image): void {
  if (image.phase !== 'Failed' && image.phase !== 'ImageLost') {
    throw new Refusal(
      'NOT_RETRYABLE',
      `the image "${image.name}" is ${image.phase}; only a Failed or ImageLost image can be started again`,
    )
  }
  if (image.hadSecrets && !image.secrets) {
    throw new Refusal(
      'SECRETS_ERASED',
      `the credentials of the image "${image.name}" were erased when it ended; delete it and create it again with them`,
    )
  }
}

export function unknownImage(name: string): Refusal {
  return new Refusal('IMAGE_NOT_FOUND', `there is no image "${name}"`)
}
