import type { ClusterApi } from '../../kube/cluster-api.ts'
import * as custom from '../custom-resource.ts'
import { clusterVirtualImage as kind, type ClusterVirtualImage } from '../resource.ts'
import type { Surroundings } from './surroundings.ts'

export type Held = custom.Held<ClusterVirtualImage>

export function hasFinalizer(resource: ClusterVirtualImage): boolean {
  return custom.hasFinalizer(kind, resource)
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
  return await custom.hold(kind, resource, at, signal)
}

/** Lets the resource go. Throws as `hold`. */
export async function release(
  resource: ClusterVirtualImage,
  at: Pick<Surroundings, 'api' | 'resources'>,
  signal: AbortSignal,
): Promise<void> {
  await custom.release(kind, resource, at, signal)
}

/**
 * The resource as the API server has it now.
 * @throws Refusal CLUSTER_NOT_FOUND; CLUSTER_CONFLICT when the name belongs to another resource by now
 */
export async function readAnew(
  resource: ClusterVirtualImage,
  api: Pick<ClusterApi, 'get'>,
  signal: AbortSignal,
): Promise<ClusterVirtualImage> {
  return await custom.readAnew(kind, resource, api, signal)
}
