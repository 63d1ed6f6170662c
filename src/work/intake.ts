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
import { knownBytes } from './known-bytes.ts'
import { leaseHolder } from './publish.ts'
import { forgetPublishing } from './publishing-note.ts'
import type { Progress } from './progress.ts'
import type { Queue } from './queue.ts'
import { sealQuery, sealSecrets, splitSecrets, urlKeyOf } from './secrets.ts'
import { tokenHash, type ServerKey } from './server-key.ts'
import { tagKey } from './tag-record.ts'

export type Wanted = {
  readonly name: string
  readonly dataSource: DataSource
  readonly ownerUid: string | null
}

/** Whether whoever asks may read the image of that name. */
export type MayRead = (name: string) => boolean

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
  async create(
    wanted: Wanted,
    mayRead: MayRead,
  ): Promise<{ readonly image: Image; readonly created: boolean }> {
    this.#checkSource(wanted)
    const { shown, secrets, query } = splitSecrets(wanted.dataSource)
    const { catalog, key } = this.#options
    const uid = randomUUID()
    const urlKey = urlKeyOf(wanted.dataSource, key)
    const sealed = sealSecrets(secrets, uid, key)
    const result = await catalog.transaction(async (tables) => {
      const existing = await tables.images.byName(wanted.name)
      if (existing) {
        assertSame(existing, wanted, { shown, urlKey }, key)
        return { image: existing, created: false }
      }
      const image = await tables.images.add({
        ...wanted,
        ...beginning(shown),
        uid,
        dataSource: shown,
        secrets: sealed,
        sealedQuery: sealQuery(query, uid, key),
        urlKey,
      })
      await this.#begin(image, tables, await knownBytes(shown, mayRead, tables))
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
      // What it was made of stays until it is made anew, but its name leads there no more.
      await tables.manifests.untag(repositoryOf(name), imageTag)
      // Whoever starts it again need not be whoever may read it then, so no known bytes are looked for.
      await this.#begin(after, tables, null)
      return after
    })
    this.#options.progress.forget(image.uid)
    this.#wake()
    return image
  }

  /**
   * Resolves when nothing of the image is left; its transfer, if it has one, is stopped first.
   * @param uid of the image that is meant, null for whichever has the name
   * @throws Refusal IMAGE_NOT_FOUND, UID_DIFFERS
   */
  async remove(name: string, uid: string | null): Promise<void> {
    const image = await this.#options.catalog.transaction(async ({ images }) => {
      const before = await images.byName(name)
      if (!before) throw unknownImage(name)
      if (uid !== null && uid !== before.uid) throw anotherImage(before)
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
      await forgetPublishing(uid, tables)
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

  /** @param knownUid of an image of the same bytes, null for none */
  async #begin(image: Image, { jobs, uploads }: Tables, knownUid: string | null): Promise<void> {
    const { type } = image.dataSource
    if (type === 'ObjectRef') return await jobs.add(image.uid, { kind: 'reference' })
    const origin = originOf(image.dataSource)
    if (origin !== null) return await jobs.add(image.uid, { origin, knownUid })
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

function assertSame(
  existing: Image,
  wanted: Wanted,
  { shown, urlKey }: { readonly shown: DataSource; readonly urlKey: string | null },
  key: ServerKey,
): void {
  const { name } = wanted
  if (existing.phase === 'Terminating') {
    throw new Refusal('BEING_DELETED', `the image "${name}" is being deleted; try again soon`, {
      retryAfter: 1000,
    })
  }
  if (existing.ownerUid !== wanted.ownerUid) {
    throw new Refusal('OWNER_DIFFERS', `the image "${name}" belongs to another owner`)
  }
  const before = splitSecrets(existing.dataSource).shown
  // Earlier versions kept the whole URL.
  const isSameUrl = urlKey === (existing.urlKey ?? urlKeyOf(existing.dataSource, key))
  if (isSameUrl && isDeepStrictEqual(JSON.parse(JSON.stringify(shown)), before)) return
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

function anotherImage({ name, uid }: Image): Refusal {
  return new Refusal('UID_DIFFERS', `the image "${name}" is another one, with the uid ${uid}`)
}

export function unknownImage(name: string): Refusal {
  return new Refusal('IMAGE_NOT_FOUND', `there is no image "${name}"`)
}
