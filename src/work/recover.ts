import type { Catalog } from '../catalog/catalog.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { Arrival } from './arrival.ts'
import type { Collector } from './collect.ts'
import type { Intake } from './intake.ts'
import { imageTag } from '../image/name.ts'
import { leaseHolder } from './publish.ts'
import { shelveAgain } from './shelve.ts'
import type { Pushes } from './pushes.ts'
import { tagKey } from './tag-record.ts'
import type { Reception } from './upload.ts'

type Remains = {
  readonly catalog: Catalog
  readonly store: Store
  readonly idle: number
  readonly now: () => number
}

/**
 * What the process before this one left, if it was killed. To be called before anything else runs, by whoever holds the
 * data folder: jobs are free again, broken-off uploads can be sent again, half-written bytes
 * are dropped, but for those of pushes and imports, which go on.
 */
export async function recover({ catalog, store, idle, now }: Remains): Promise<void> {
  for (const image of await catalog.read.images.inPhase('Provisioning')) {
    await store.records.remove(tagKey(image.name, imageTag))
  }
  await catalog.transaction(async ({ jobs, uploads, images, blobs }) => {
    await jobs.releaseAll()
    for (const image of await images.inPhase('Provisioning')) {
      await blobs.endLeases(leaseHolder(image))
    }
    for (const upload of await uploads.inState('receiving')) {
      await uploads.change(upload.tokenHash, 'interrupted', now() + idle)
      await images.change(upload.imageUid, {
        phase: 'Provisioning',
        ready: {
          reason: 'ProvisioningFailed',
          message:
            'the service was restarted during the upload; send the file again to the same URL',
        },
      })
    }
  })
  await shelveAgain({ catalog, store })
  const imports = await catalog.read.jobs.all()
  for (const id of await store.staged()) {
    if (imports.some((uid) => Arrival.owns(uid, id))) continue
    if (!(await catalog.read.pushSessions.byId(id))) await store.discard(id)
  }
}

/** The rest of it, which may take its time while the service is already answering. */
export async function tidy({
  catalog,
  intake,
  reception,
  collector,
  pushes,
  log,
}: {
  catalog: Catalog
  intake: Intake
  reception: Reception
  collector: Collector
  pushes: Pushes
  log: Log
}): Promise<void> {
  const each = async (what: object, work: Promise<void>) => {
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
  await each({}, pushes.sweep())
  await each(
    {},
    catalog.transaction(({ leases }) => leases.prune()),
  )
  await each({}, collector.sweep())
}
