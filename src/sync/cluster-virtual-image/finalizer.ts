import { Outage, Refusal } from '../../errors.ts'
import type { ClusterApi } from '../../kube/cluster-api.ts'
import { clusterVirtualImageSchema, resourcePath, type ClusterVirtualImage } from '../resource.ts'
import type { Surroundings } from './surroundings.ts'

export const finalizer = 'virtualization.deckhouse.io/cvi-cleanup'

/** A resource, and whether the API server has shown it just now. */
export type Held = { readonly resource: ClusterVirtualImage; readonly isFresh: boolean }

export function hasFinalizer({ metadata }: ClusterVirtualImage): boolean {
  return metadata.finalizers?.includes(finalizer) ?? false
}

/**
 * Sees to it that the resource does not go before its image has gone.
 * @throws Refusal CLUSTER_CONFLICT when it has changed, CLUSTER_NOT_FOUND when it is gone
 */
export async function hold(
  resource: ClusterVirtualImage,
  at: Pick<Surroundings, 'api' | 'resources'>,
  signal: AbortSignal,
): Promise<Held> {
  if (hasFinalizer(resource)) return { resource, isFresh: false }
  const finalizers = [...(resource.metadata.finalizers ?? []), finalizer]
  return { resource: await setFinalizers(resource, finalizers, at, signal), isFresh: true }
}

/** Lets the resource go. Throws as `hold`. */
export async function release(
  resource: ClusterVirtualImage,
  at: Pick<Surroundings, 'api' | 'resources'>,
  signal: AbortSignal,
): Promise<void> {
  if (!hasFinalizer(resource)) return
  const finalizers = resource.metadata.finalizers?.filter((one) => one !== finalizer) ?? []
  await setFinalizers(resource, finalizers, at, signal)
}

/**
 * The resource as the API server has it now.
 * @throws Refusal CLUSTER_NOT_FOUND; CLUSTER_CONFLICT when the name belongs to another resource by now
 */
export async function readAnew(
  { metadata: { name, uid } }: ClusterVirtualImage,
  api: Pick<ClusterApi, 'get'>,
  signal: AbortSignal,
): Promise<ClusterVirtualImage> {
  const resource = resourceIn(await api.get(resourcePath(name), {}, signal))
  if (resource.metadata.uid === uid) return resource
  throw new Refusal('CLUSTER_CONFLICT', `${name} is another resource by now`)
}

/** @throws Outage CLUSTER_UNAVAILABLE for an answer that is no such resource */
export function resourceIn(answer: unknown): ClusterVirtualImage {
  const { data, error } = clusterVirtualImageSchema.safeParse(answer)
  if (data) return data
  const message = 'the API server answers with no ClusterVirtualImage that can be read'
  throw new Outage('CLUSTER_UNAVAILABLE', message, { cause: error })
}

async function setFinalizers(
  { metadata: { name, resourceVersion } }: ClusterVirtualImage,
  finalizers: readonly string[],
  { api, resources }: Pick<Surroundings, 'api' | 'resources'>,
  signal: AbortSignal,
): Promise<ClusterVirtualImage> {
  const body = { metadata: { resourceVersion, finalizers } }
  const resource = resourceIn(await api.patch(resourcePath(name), 'merge', body, {}, signal))
  resources.learn(resource)
  return resource
}
