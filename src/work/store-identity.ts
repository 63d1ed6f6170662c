import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Catalog } from '../catalog/catalog.ts'
import { Refusal } from '../errors.ts'
import type { Store } from '../store/store.ts'

/** No repository has such a name. */
const key = '_store/id'
const folder = '_store/'

/** Facts of a catalog: the store it belongs to, and the one it was about to take for its own. */
const fact = 'store'
const offer = 'store-offered'

const schema = z.object({ id: z.string().min(1) })

export type Pair = {
  readonly catalog: Catalog
  readonly store: Pick<Store, 'records'>
  /** For people: the folder, or the bucket. */
  readonly where: { readonly catalog: string; readonly store: string }
}

type Ids = { readonly here: string | null; readonly there: string | null }

/**
 * Holds a catalog and a store against each other, before anything is done with either: a catalog that knows nothing of what
 * the store has would have it collected. Two that are new, or older than this check, are told that they belong together.
 * @throws Refusal when they do not
 */
export async function assertPair(pair: Pair): Promise<void> {
  const { here, there } = await idsOf(pair)
  if (here !== null && here === there) return
  if (here === null && (await mayJoin(pair, there))) return await join(pair, there ?? randomUUID())
  const isNew = there === null && !(await knowsAnything(pair.catalog)) && !(await hasAny(pair))
  if (here !== null && isNew) return await join(pair, here)
  throw here !== null && there === null ? emptied(pair) : foreign(pair)
}

/** For a rebuild: whether the catalog is that of another store, and has to make room. */
export async function isForeign(pair: Pair): Promise<boolean> {
  const { here, there } = await idsOf(pair)
  return here !== null && there !== null && here !== there
}

/** Before a rebuild: the store has an id, so that no service takes a catalog that is made in part for its own. */
export async function mark(pair: Pair): Promise<void> {
  const { here, there } = await idsOf(pair)
  if (there === null) await putId(pair, here ?? randomUUID())
}

/** After a rebuild: the two belong together from now on. */
export async function pairUp(pair: Pair): Promise<void> {
  const { here, there } = await idsOf(pair)
  await join(pair, there ?? here ?? randomUUID())
}

async function idsOf({ catalog, store }: Pair): Promise<Ids> {
  const bytes = await store.records.read(key)
  const there = bytes && schema.parse(JSON.parse(Buffer.from(bytes).toString())).id
  return { here: await catalog.read.facts.read(fact), there }
}

/** Whether a catalog without an id may take this store for its own. */
async function mayJoin(pair: Pair, there: string | null): Promise<boolean> {
  const { catalog } = pair
  // A crash came between the two.
  if (there !== null && there === (await catalog.read.facts.read(offer))) return true
  if (there === null && (await knowsAnything(catalog))) return true
  return !(await knowsAnything(catalog)) && !(await hasAny(pair))
}

async function putId({ store }: Pair, id: string): Promise<void> {
  await store.records.put(key, Buffer.from(JSON.stringify({ id })))
}

async function join(pair: Pair, id: string): Promise<void> {
  const { catalog } = pair
  await catalog.transaction(({ facts }) => facts.write(offer, id))
  await putId(pair, id)
  await catalog.transaction(({ facts }) => facts.write(fact, id))
}

async function knowsAnything({ read }: Catalog): Promise<boolean> {
  if ((await read.events.newest()) !== null) return true
  return (await read.manifests.repositories('', 1)).length > 0
}

/** Whether the store has any image or manifest. */
async function hasAny({ store }: Pair): Promise<boolean> {
  for await (const found of store.records.list('')) if (!found.startsWith(folder)) return true
  return false
}

function foreign({ where }: Pair): Refusal {
  return new Refusal(
    'UNSUPPORTED',
    `the catalog in ${where.catalog} does not belong to the images in ${where.store}; run "slipway rebuild", which makes a catalog from what is stored there, or set SLIPWAY_DATA_DIR and the storage to two that belong together`,
  )
}

function emptied({ where }: Pair): Refusal {
  return new Refusal(
    'UNSUPPORTED',
    `the catalog in ${where.catalog} belongs to a storage that is not in ${where.store}: it was emptied, or the settings name another place; set them right, put the storage back, or run "slipway rebuild", which takes what is there now`,
  )
}
