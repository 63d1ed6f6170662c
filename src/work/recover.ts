import type { Catalog } from '../catalog/catalog.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { Arrival, stagedOf } from './arrival.ts'
import type { Collector } from './collect.ts'
import type { Intake } from './intake.ts'
import { imageTag } from '../image/name.ts'
import { leaseHolder } from './publish.ts'
import { publishAgain } from './publish-again.ts'
import { shelveAgain } from './shelve.ts'
import { PushedRecords } from './pushed-records.ts'
import type { Pushes } from './pushes.ts'
import type { Repositories } from './repositories.ts'
import { tagKey } from './tag-record.ts'
import type { Reception } from './upload.ts'
import { wayOn } from './upload-words.ts'

type Remains = {
  readonly catalog: Catalog
  readonly store: Store
  readonly idle: number
  readonly now: () => number
}

/**
 * What the process before this one left, if it was killed. To be called before anything else runs, by whoever holds the
 * data folder: what was all there is Ready, jobs are free again, broken-off uploads can be sent again, half-written bytes
 * are dropped, but for those of pushes, imports and uploads, which go on.
 */
export async function recover({ catalog, store, idle, now }: Remains): Promise<void> {
  await publishAgain({ catalog, store, now })
  for (const image of await catalog.read.images.inPhase('Provisioning')) {
    await store.records.remove(tagKey(image.name, imageTag))
  }
  await catalog.transaction(async ({ jobs, images, blobs, maintenance }) => {
    await jobs.releaseAll()
    await maintenance.interruptAll()
    for (const image of await images.inPhase('Provisioning')) {
      await blobs.endLeases(leaseHolder(image))
    }
  })
  await recoverUploads({ catalog, store, idle, now })
  await shelveAgain({ catalog, store })
  await new PushedRecords({ catalog, store }).catchUp()
  const uploads = await catalog.read.uploads.inState('interrupted')
  await takeStock({ catalog, store })
  const uids = [...(await catalog.read.jobs.all()), ...uploads.map(({ imageUid }) => imageUid)]
  for (const id of await store.staged()) {
    if (uids.some((uid) => Arrival.owns(uid, id))) continue
    if (!(await catalog.read.pushSessions.byId(id))) await store.discard(id)
  }
}

/** Each upload that was begun goes on from what had reached the disk. */
async function recoverUploads({ catalog, store, idle, now }: Remains): Promise<void> {
  const { uploads } = catalog.read
  const begun = [...(await uploads.inState('receiving')), ...(await uploads.inState('interrupted'))]
  for (const upload of begun) {
    const offset = await stagedOf(upload.imageUid, store, upload.length)
    if (upload.state === 'interrupted' && offset === upload.offset) continue
    const way = wayOn(offset, upload.length)
    await catalog.transaction(async ({ uploads, images }) => {
      await uploads.change(upload.tokenHash, 'interrupted', upload.expiresAt ?? now() + idle)
      await uploads.measure(upload.tokenHash, { offset })
      await images.change(upload.imageUid, {
        phase: 'Provisioning',
        ready: {
          reason: 'ProvisioningFailed',
          message: `the service was restarted during the upload; ${way} to the same URL`,
        },
      })
    })
  }
}

/** Finds out how much an earlier process had fetched of each image, so that it counts as taken. */
async function takeStock({ catalog, store }: Pick<Remains, 'catalog' | 'store'>): Promise<void> {
  const staged = await store.staged()
  for (const uid of await catalog.read.jobs.all()) {
    const isStaged = staged.some((id) => Arrival.owns(uid, id))
    const size = isStaged ? await catalog.read.jobs.sourceSize(uid) : null
    const bytes = isStaged ? await stagedOf(uid, store, size) : 0
    await catalog.transaction(({ jobs }) => jobs.measure(uid, bytes))
  }
}

/** The rest of it, which may take its time while the service is already answering. */
export async function tidy({
  catalog,
  intake,
  reception,
  collector,
  pushes,
  repositories,
  log,
  thorough,
  signal,
}: {
  catalog: Catalog
  intake: Intake
  reception: Reception
  collector: Collector
  pushes: Pushes
  repositories: Repositories
  log: Log
  /** After a start: whatever a crash has left is looked for among all blobs. */
  thorough: boolean
  signal: AbortSignal
}): Promise<void> {
  const each = async (what: object, work: Promise<unknown>) => {
    try {
      await work
    } catch (error) {
      log.error({ err: error, ...what }, 'what was left could not be removed; it is tried again')
    }
  }
  const removed = async () => {
    for (const image of await catalog.read.images.inPhase('Terminating')) {
      await each({ image: image.name }, intake.finishRemoval(image))
    }
  }
  await each({}, removed())
  await each({}, reception.reclaim())
  await each({}, catalog.finishErasing())
  await each({}, pushes.sweep())
  await each({}, repositories.catchUp())
  const over = async () => {
    await collector.collect(await catalog.transaction(({ leases }) => leases.prune()))
  }
  await each({}, over())
  await each({}, thorough ? collector.sweep(signal) : collector.finish())
}
