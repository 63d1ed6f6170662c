import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { backupFact } from '../catalog/backup.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { asFailure, Refusal } from '../errors.ts'
import type { Store } from '../store/store.ts'
import { identityKey, ownRecords } from './copy-mark.ts'

/**
 * Facts of a catalog: the store it belongs to, the one it was about to take for its own, and how often the two have been
 * opened together, or were known to be so.
 */
const fact = 'store'
const offer = 'store-offered'
const times = 'store-generation'

const schema = z.object({ id: z.string().min(1), generation: z.int().default(0) })

export type Pair = {
  readonly catalog: Catalog
  readonly store: Pick<Store, 'records'>
  /** For people: the folder, or the bucket. */
  readonly where: { readonly catalog: string; readonly store: string }
}

type Ids = {
  readonly here: string | null
  readonly there: string | null
  /** Of the store. */
  readonly generation: number
}

/**
 * Holds a catalog and a store against each other, before anything is done with either: a catalog that knows nothing of what
 * the store has, or not yet, would have it collected. Two that are new, or older than this check, are told that they belong
 * together.
 * @throws Refusal when they do not, or the catalog is an older one
 */
export async function assertPair(pair: Pair): Promise<void> {
  const ids = await idsOf(pair)
  const { here, there } = ids
  if (here !== null && here === there) return await renew(pair, here, ids.generation)
  if (here === null && (await mayJoin(pair, there))) return await join(pair, there ?? randomUUID())
  const isNew = there === null && !(await knowsAnything(pair.catalog)) && !(await hasAny(pair))
  if (here !== null && isNew) return await join(pair, here)
  throw here !== null && there === null ? emptied(pair) : foreign(pair)
}

/** The catalog first: after a crash between the two it is ahead, and never taken for an older one. */
async function renew(pair: Pair, id: string, generation: number): Promise<void> {
  const own = await ownGeneration(pair, generation)
  if (own === null) throw older(pair)
  await pair.catalog.transaction((tables) => tables.facts.write(times, String(own + 1)))
  try {
    await putId(pair, id, own + 1)
  } catch (error) {
    // A full disk keeps nobody from starting and making room: the store stays behind, which is safe.
    if (asFailure(error).code !== 'STORAGE_FULL') throw error
  }
}

/**
 * To be called again and again while a service runs: a catalog of before is an older one from then on, however its copy was
 * made.
 * @throws Refusal when another service has opened the store meanwhile, or it was emptied
 */
export async function outdateCopies(pair: Pair): Promise<void> {
  const { here, there, generation } = await idsOf(pair)
  if (here === null || here !== there) throw emptied(pair)
  await renew(pair, here, generation)
}

/**
 * Before a collection, which would take for garbage what another catalog knows.
 * @throws Refusal when the store is another service's by now, or this catalog an older one
 */
export async function assertOwn(pair: Pair): Promise<void> {
  const { here, there, generation } = await idsOf(pair)
  if (here === null || here !== there) throw emptied(pair)
  if ((await ownGeneration(pair, generation)) === null) throw older(pair)
}

/** How often this catalog was opened with the store; null when it is an older one. */
async function ownGeneration({ catalog }: Pair, generation: number): Promise<number | null> {
  const { facts } = catalog.read
  const own = Number((await facts.read(times)) ?? generation)
  return own < generation || (await facts.read(backupFact)) !== null ? null : own
}

/** For a rebuild: whether nobody knows better than the catalog what is in the store. */
export async function isCurrent(pair: Pair): Promise<boolean> {
  const { here, there, generation } = await idsOf(pair)
  return here !== null && here === there && (await ownGeneration(pair, generation)) !== null
}

/** For a rebuild: whether the catalog is that of another store, and has to make room. */
export async function isForeign(pair: Pair): Promise<boolean> {
  const { here, there } = await idsOf(pair)
  return here !== null && there !== null && here !== there
}

/** Before a rebuild: the store has an id, so that no service takes a catalog that is made in part for its own. */
export async function mark(pair: Pair): Promise<void> {
  const { here, there } = await idsOf(pair)
  if (there === null) await putId(pair, here ?? randomUUID(), 1)
}

/** After a rebuild: the two belong together from now on. */
export async function pairUp(pair: Pair): Promise<void> {
  const { here, there, generation } = await idsOf(pair)
  await join(pair, there ?? here ?? randomUUID(), generation + 1)
}

async function idsOf({ catalog, store }: Pair): Promise<Ids> {
  const bytes = await store.records.read(identityKey)
  const there = bytes && schema.parse(JSON.parse(Buffer.from(bytes).toString()))
  const here = await catalog.read.facts.read(fact)
  return { here, there: there?.id ?? null, generation: there?.generation ?? 0 }
}

/** Whether a catalog without an id may take this store for its own. */
async function mayJoin(pair: Pair, there: string | null): Promise<boolean> {
  const { catalog } = pair
  // A crash came between the two. Any other id is that of a service which may be at work, and has stored nothing yet.
  if (there !== null) return there === (await catalog.read.facts.read(offer))
  return (await knowsAnything(catalog)) || !(await hasAny(pair))
}

async function putId({ store }: Pair, id: string, generation: number): Promise<void> {
  await store.records.put(identityKey, written(id, generation))
}

/** @throws Refusal when another service has given the store an id since that was looked for */
async function putFirstId(pair: Pair, id: string): Promise<void> {
  await pair.store.records.putNew(identityKey, written(id, 1))
  // Also where it was put: a server that does not know the condition lets everybody put theirs, and the last one stays.
  if ((await idsOf(pair)).there !== id) throw foreign(pair)
}

function written(id: string, generation: number): Uint8Array {
  return Buffer.from(JSON.stringify({ id, generation }))
}

async function join(pair: Pair, id: string, generation = 1): Promise<void> {
  const { catalog } = pair
  await catalog.transaction(({ facts }) => facts.write(offer, id))
  if (generation === 1) await putFirstId(pair, id)
  else await putId(pair, id, generation)
  await catalog.transaction(async ({ facts }) => {
    await facts.write(fact, id)
    await facts.write(times, String(generation))
    await facts.remove(backupFact)
  })
}

async function knowsAnything({ read }: Catalog): Promise<boolean> {
  if ((await read.events.newest()) !== null) return true
  return (await read.manifests.repositories('', 1)).length > 0
}

/** Whether the store has any image or manifest. */
async function hasAny({ store }: Pair): Promise<boolean> {
  for await (const found of store.records.list('')) if (!found.startsWith(ownRecords)) return true
  return false
}

function foreign({ where }: Pair): Refusal {
  return new Refusal(
    'UNSUPPORTED',
    `the catalog in ${where.catalog} does not belong to the images in ${where.store}; run "slipway rebuild", which makes a catalog from what is stored there, or set SLIPWAY_DATA_DIR and the storage to two that belong together`,
  )
}

function older({ where }: Pair): Refusal {
  return new Refusal(
    'UNSUPPORTED',
    `the catalog in ${where.catalog} is older than the images in ${where.store}, as one from a backup is; run "slipway rebuild", which adds what is missing, so that nothing of it is taken for garbage`,
  )
}

function emptied({ where }: Pair): Refusal {
  return new Refusal(
    'UNSUPPORTED',
    `the catalog in ${where.catalog} belongs to a storage that is not in ${where.store}: it was emptied, or the settings name another place; set them right, put the storage back, or run "slipway rebuild", which takes what is there now`,
  )
}
