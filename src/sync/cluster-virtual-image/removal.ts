import { deleteImage, imageByName } from '../../client/images.ts'
import type { Failure } from '../../errors.ts'
import type { ClusterVirtualImage } from '../resource.ts'
import { found, nothing, type Conclusion } from './conclusion.ts'
import { hasFinalizer, readAnew, release } from './finalizer.ts'
import type { Memory } from './kept.ts'
import { saidWhileAway, saidWhileLeaving } from './status.ts'
import type { Surroundings } from './surroundings.ts'
import { isOfService, isOutdated, wordsFor } from './trouble.ts'

/** Milliseconds in which the API server tells that what was let go is gone. */
const tellsWithin = 5000

/**
 * A resource that is being deleted: its image goes first, then the finalizer. As long as the service is away it waits.
 * @throws what the API server fails with
 */
export async function remove(
  resource: ClusterVirtualImage,
  memory: Memory,
  around: Surroundings,
  signal: AbortSignal,
): Promise<Conclusion> {
  const { releasedAt } = memory
  if (releasedAt !== null && around.now() - releasedAt < tellsWithin) {
    return { ...nothing, again: tellsWithin }
  }
  try {
    await release(await removeImage(resource, around, signal), around, signal)
    memory.releasedAt = around.now()
    return nothing
  } catch (error) {
    if (!isOfService(error) || isOutdated(error)) throw error
    return away(resource, error, around)
  }
}

/** Whether it has to be said that it is being deleted, before it is. */
export function isLeaving(resource: ClusterVirtualImage): boolean {
  return hasFinalizer(resource) && resource.status?.phase !== 'Terminating'
}

/** An image of nobody, or of another resource, is left alone. @returns the resource as it is now */
async function removeImage(
  resource: ClusterVirtualImage,
  { rest, api, log }: Surroundings,
  signal: AbortSignal,
): Promise<ClusterVirtualImage> {
  const { name, uid } = resource.metadata
  const image = await imageByName(rest, name, signal)
  if (image?.ownerUid !== uid) return resource
  const latest = await readAnew(resource, api, signal)
  log.info({ image: name, uid: image.uid }, 'the image goes with its resource')
  await deleteImage(rest, name, image.uid, signal)
  return latest
}

function away(resource: ClusterVirtualImage, trouble: Failure, { now }: Surroundings): Conclusion {
  const leaving = saidWhileLeaving(resource, now())
  const words = `the image cannot be deleted, and is tried again: ${wordsFor(trouble)}`
  return found(saidWhileAway(resource, leaving, words, now()), trouble.retryAfter ?? 0)
}
