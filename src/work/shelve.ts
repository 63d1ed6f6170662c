import type { Catalog } from '../catalog/catalog.ts'
import { Outage } from '../errors.ts'
import type { Stat, Staging, Store } from '../store/store.ts'
import type { Collector } from './collect.ts'
import { reserve } from './publish.ts'
import { arrived } from './soundness.ts'

/** What was uploaded or mounted stays so long, in milliseconds, unless a manifest uses it or somebody works beside it. */
export const leaseFor = 3_600_000

/**
 * Makes staged bytes, whose digest is known, a blob that a repository may use. The blob is announced first, so that no
 * collection removes it, and readable last, when its bytes are safe.
 * @param push the session of that id, if there is one, ends with it
 */
export async function shelve(
  staging: Staging,
  blob: Stat,
  push: { readonly id: string; readonly repository: string },
  shelf: { readonly catalog: Catalog; readonly collector: Collector },
): Promise<void> {
  const { id } = push
  await reserve(id, [blob], shelf)
  await staging.publish(blob.digest)
  await enter(blob, push, shelf.catalog)
}

/** Makes a blob whose bytes are safe readable in the repository, and ends its push. */
async function enter(
  blob: Stat,
  { id, repository }: { readonly id: string; readonly repository: string },
  catalog: Catalog,
): Promise<void> {
  await catalog.transaction(async (tables) => {
    const { leases, pushSessions } = tables
    if (!(await arrived(blob.digest, tables))) throw tooSlow(blob)
    await leases.grant(blob.digest, id, repository, leaseFor)
    await leases.prolong(repository, leaseFor)
    await pushSessions.remove(id)
  })
}

/**
 * Ends the pushes whose blobs had got to their place when the process before this one was killed: their sessions have no
 * bytes any more, and what a client was told of them must not be lost.
 */
export async function shelveAgain({ catalog, store }: { catalog: Catalog; store: Store }) {
  for (const { session } of await catalog.read.pushSessions.announced()) {
    const staging = await store.resume(session.id, { algorithm: session.algorithm })
    if (staging) await staging.leave()
    else await shelveMoved(session.id, { catalog, store })
  }
}

/**
 * Ends a push without bytes whose blob has got to its place, if it is one.
 * @returns whether it was
 */
export async function shelveMoved(
  id: string,
  { catalog, store }: { readonly catalog: Catalog; readonly store: Store },
): Promise<boolean> {
  const [push] = await catalog.read.pushSessions.announced(id)
  if (!push || (await store.stat(push.digest))?.size !== push.size) return false
  await enter(push, push.session, catalog)
  return true
}

/** A lease runs out when a disk takes minutes for a sync; the blob may have been removed then. */
function tooSlow({ digest }: Stat): Outage {
  return new Outage(
    'STORAGE_UNAVAILABLE',
    `the storage took so long that ${digest} was given up; upload it again`,
  )
}
