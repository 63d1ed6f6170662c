import { z } from 'zod'

/** Parameters of a request's URL. */
export type Query = { readonly [name: string]: string }

/** A change of an object: the fields it names (RFC 7396), or all that this writer says of it (server-side apply). */
export type PatchKind = 'merge' | 'apply'

/**
 * The Kubernetes API server, as the companion uses it. Paths begin with `/api` or `/apis`. Everything may throw Refusal
 * CLUSTER_CONFLICT (changed meanwhile, or another uid), CLUSTER_EXISTS (created before), CLUSTER_NOT_FOUND, CLUSTER_EXPIRED
 * (410: what is asked for is kept no more), CLUSTER_REFUSED (not allowed, or not valid), and Outage CLUSTER_UNAUTHENTICATED, CLUSTER_UNAVAILABLE (no
 * answer, overloaded, not known who asks: later it may work) or CLUSTER_TOO_LARGE (more than is read of an answer).
 */
export interface ClusterApi {
  get(path: string, query: Query, signal: AbortSignal): Promise<unknown>
  create(path: string, body: object, signal: AbortSignal): Promise<unknown>
  replace(path: string, body: object, signal: AbortSignal): Promise<unknown>
  patch(
    path: string,
    kind: PatchKind,
    body: object,
    query: Query,
    signal: AbortSignal,
  ): Promise<unknown>
  /**
   * What happens to a collection, one parsed line after the other, until the server or the signal ends it.
   * @param opened called once the server has accepted; the first line may be a minute away
   */
  watch(
    path: string,
    query: Query,
    signal: AbortSignal,
    opened?: () => void,
  ): AsyncIterable<unknown>
}

/** What every object has, as far as the companion reads it. */
export const metadataSchema = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.int().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).optional(),
})
export type Metadata = z.output<typeof metadataSchema>
