import type { Stray } from '../store.ts'
import type { Bucket } from './bucket.ts'
import type { Found } from './objects.ts'
import type { Holds } from './holds.ts'
import type { Piece } from './piece.ts'
import { digestOfKey, linkOf, linksPrefix, wholesPrefix } from './shelf.ts'
import { sideBySide } from './side-by-side.ts'
import { objectsPrefix, stateOf, unreadable } from './staged-state.ts'

/** Records that are read at the same time. */
const readers = 16

export type ListedLink = Found & { readonly size: number; readonly pieces: readonly Piece[] }

/** All records of digests; `size` is the blob's. One that cannot be read names no pieces. */
export async function* linksOf(bucket: Bucket): AsyncIterable<ListedLink> {
  const links = sideBySide(bucket.list(linksPrefix), readers, async (found) => {
    const bytes = digestOfKey(found.key) && (await bucket.read(found.key))
    return bytes && { ...found, ...linkOf(bytes) }
  })
  for await (const link of links) if (link) yield link
}

type Where = {
  readonly bucket: Bucket
  readonly holds: Holds
  /** Names a key for people. */
  readonly nameOf: (key: string) => string
}

/** What lies in the bucket since before a time and belongs to nothing. */
export async function* straysIn(where: Where, before: number): AsyncIterable<Stray> {
  yield* misnamed(where, before)
  const { bucket } = where
  // In this order: what is published in between is named by its record before its state is gone.
  const objects = await Array.fromAsync(older(bucket, objectsPrefix, before))
  const uploads = await Array.fromAsync(bucket.uploads(objectsPrefix))
  const owned = await owners(bucket)
  for (const { key, size, since } of owned.isAll ? objects : []) {
    if (!owned.keys.has(key)) yield stray(where, { key, size, since })
  }
  for (const { key, id, since } of owned.areAllUploads ? uploads : []) {
    if (since >= before || owned.uploads.has(id)) continue
    yield { name: where.nameOf(key), size: 0, since, remove: () => bucket.abort({ key, id }) }
  }
}

/** Among the blobs and the records of digests, what is none. */
async function* misnamed(where: Where, before: number): AsyncIterable<Stray> {
  for (const prefix of [wholesPrefix, linksPrefix]) {
    for await (const found of older(where.bucket, prefix, before)) {
      if (!digestOfKey(found.key)) yield stray(where, found)
    }
  }
}

async function* older(bucket: Bucket, prefix: string, before: number): AsyncIterable<Found> {
  for await (const found of bucket.list(prefix)) if (found.since < before) yield found
}

function stray({ holds, nameOf }: Where, { key, size, since }: Found): Stray {
  return { name: nameOf(key), size, since, remove: () => holds.remove(key) }
}

/**
 * Keys of all objects that a staging or the record of a digest names, and ids of the uploads that a staging goes on with. Where
 * one of these cannot be read, nobody can tell whose the others are.
 */
async function owners(bucket: Bucket) {
  const [keys, uploads] = [new Set<string>(), new Set<string>()]
  let [areStates, areLinks] = [true, true]
  const states = sideBySide(bucket.list('staging/'), readers, ({ key }) =>
    stateOf(bucket, key.slice('staging/'.length)),
  )
  for await (const state of states) {
    if (state === unreadable) areStates = false
    for (const { key } of state?.pieces ?? []) keys.add(key)
    if (!state?.open) continue
    keys.add(state.open.key)
    uploads.add(state.open.id)
  }
  for await (const { pieces } of linksOf(bucket)) {
    if (pieces.length === 0) areLinks = false
    for (const { key } of pieces) keys.add(key)
  }
  return { keys, uploads, isAll: areStates && areLinks, areAllUploads: areStates }
}
