import { deleteImage, imageByName } from '../../client/images.ts'
import type { ClusterVirtualImage } from '../resource.ts'
import { readAnew } from './finalizer.ts'
import type { Finding } from './status.ts'
import type { Surroundings } from './surroundings.ts'

/**
 * The name is taken in the service. An image of a resource that was deleted gives way to the one that has its name now;
 * what belongs to nobody, or to a resource that is there, stays.
 * @returns what stands in the way; null when nothing does any more
 * @throws what the service and the API server fail with
 */
export async function replace(
  resource: ClusterVirtualImage,
  { rest, api, resources, log }: Surroundings,
  signal: AbortSignal,
): Promise<Finding | null> {
  const { name, uid } = resource.metadata
  const image = await imageByName(rest, name, signal)
  if (!image || image.ownerUid === uid) return null
  if (image.ownerUid === null) return taken(name, 'that belongs to no resource')
  for (const { metadata } of resources.items()) {
    if (metadata.uid === image.ownerUid) return taken(name, `that belongs to "${metadata.name}"`)
  }
  await readAnew(resource, api, signal)
  log.info({ image: name, uid: image.uid }, 'the image of an earlier resource is replaced')
  await deleteImage(rest, name, image.uid, signal)
  return null
}

function taken(name: string, whose: string): Finding {
  return {
    phase: 'Pending',
    reason: 'ProvisioningNotStarted',
    source: 'DatasourceReady',
    message: `the service has an image "${name}" already, ${whose}, and it is left alone; delete it with DELETE /api/v1/images/${name}, or give this resource another name`,
  }
}
