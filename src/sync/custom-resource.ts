import { z } from 'zod'
import { Outage, Refusal } from '../errors.ts'
import type { ClusterApi, Metadata } from '../kube/cluster-api.ts'
import type { Informer } from './kube/informer.ts'

/** An object that the companion keeps in step. */
export type Resource = { readonly metadata: Metadata; readonly status?: unknown }

/** A condition as anybody may have written it. */
export const conditionSchema = z.looseObject({
  type: z.string(),
  status: z.string(),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string(),
})

/** One kind of them, of cluster scope. */
export type ResourceKind<Item extends Resource> = {
  readonly apiVersion: string
  readonly kind: string
  /** Of the collection. */
  readonly path: string
  readonly schema: z.ZodType<Item>
  /** Keeps a resource from going before what hangs on it. */
  readonly finalizer: string
}

/** Where resources are written, and who learns of it. */
export type Place<Item extends Resource> = {
  readonly api: ClusterApi
  readonly resources: Pick<Informer<Item>, 'learn'>
}

/** A resource, and whether the API server has shown it just now. */
export type Held<Item> = { readonly resource: Item; readonly isFresh: boolean }

export function hasFinalizer<Item extends Resource>(
  { finalizer }: ResourceKind<Item>,
  { metadata }: Item,
): boolean {
  return metadata.finalizers?.includes(finalizer) ?? false
}

/**
 * Sees to it that the resource does not go before its time.
 * @throws Refusal CLUSTER_CONFLICT when it has changed, CLUSTER_NOT_FOUND when it is gone
 */
export async function hold<Item extends Resource>(
  kind: ResourceKind<Item>,
  resource: Item,
  place: Place<Item>,
  signal: AbortSignal,
): Promise<Held<Item>> {
  if (hasFinalizer(kind, resource)) return { resource, isFresh: false }
  const finalizers = [...(resource.metadata.finalizers ?? []), kind.finalizer]
  return { resource: await change(kind, resource, { finalizers }, place, signal), isFresh: true }
}

/** Lets the resource go. Throws as `hold`. */
export async function release<Item extends Resource>(
  kind: ResourceKind<Item>,
  resource: Item,
  place: Place<Item>,
  signal: AbortSignal,
): Promise<void> {
  if (!hasFinalizer(kind, resource)) return
  const finalizers = resource.metadata.finalizers?.filter((one) => one !== kind.finalizer) ?? []
  await change(kind, resource, { finalizers }, place, signal)
}

/**
 * The resource as the API server has it now.
 * @throws Refusal CLUSTER_NOT_FOUND; CLUSTER_CONFLICT when the name belongs to another resource by now
 */
export async function readAnew<Item extends Resource>(
  kind: ResourceKind<Item>,
  { metadata: { name, uid } }: Item,
  api: Pick<ClusterApi, 'get'>,
  signal: AbortSignal,
): Promise<Item> {
  const resource = resourceIn(kind, await api.get(`${kind.path}/${name}`, {}, signal))
  if (resource.metadata.uid === uid) return resource
  throw new Refusal('CLUSTER_CONFLICT', `${name} is another resource by now`)
}

/** @throws Outage CLUSTER_UNAVAILABLE for an answer that is no such resource */
export function resourceIn<Item extends Resource>(
  { kind, schema }: ResourceKind<Item>,
  answer: unknown,
): Item {
  const { data, error } = schema.safeParse(answer)
  if (data) return data
  const message = `the API server answers with no ${kind} that can be read`
  throw new Outage('CLUSTER_UNAVAILABLE', message, { cause: error })
}

/** Changes fields of the metadata, unless the resource has changed meanwhile. Throws as `hold`. */
export async function change<Item extends Resource>(
  kind: ResourceKind<Item>,
  { metadata: { name, resourceVersion } }: Item,
  fields: object,
  { api, resources }: Place<Item>,
  signal: AbortSignal,
): Promise<Item> {
  const body = { metadata: { resourceVersion, ...fields } }
  const answer = await api.patch(`${kind.path}/${name}`, 'merge', body, {}, signal)
  const resource = resourceIn(kind, answer)
  resources.learn(resource)
  return resource
}
