import { z } from 'zod'
import { Refusal } from '../errors.ts'
import type { Records, Store } from '../store/store.ts'

/** Records that are the store's own. No repository name begins with an underscore, so that the two cannot meet. */
export const ownRecords = '_store/'

/** Which store this is: it goes with the images, so that a catalog knows them again. */
export const identityKey = `${ownRecords}id`

const markKey = `${ownRecords}copy-of`

/** Where a copy comes from. */
export type Original = {
  /** `filesystem:/data`, `s3://bucket/prefix`: for people, and to know it by where it has no identity. */
  readonly place: string
  readonly identity: string | null
  /** How often it was opened. */
  readonly generation: number
}

const openingsSchema = z.object({ id: z.string(), generation: z.int().default(0) })

const markSchema = z.object({
  place: z.string(),
  identity: z.string().nullable(),
  isComplete: z.boolean(),
})
type Mark = z.output<typeof markSchema>

/** @param place as `Original` has it */
export async function originalAt(place: string, records: Records): Promise<Original> {
  const own = await openingsOf(records)
  return { place, identity: own?.id ?? null, generation: own?.generation ?? 0 }
}

async function openingsOf(records: Records) {
  const bytes = await records.read(identityKey)
  return bytes && openingsSchema.parse(JSON.parse(Buffer.from(bytes).toString()))
}

/**
 * Marks a store as a copy that is being made. It must be empty or a copy of the same store that nobody has served yet:
 * what the original does not have goes from it.
 * @param replaces whether an older state of the same store may be replaced, too
 * @throws Refusal when it holds other images
 */
export async function beginCopy(to: Store, original: Original, replaces: boolean): Promise<void> {
  const mark = await readMark(to.records)
  const isCopy = mark ? isSame(mark, original) : await isEmpty(to)
  const isOlder = replaces && (await isOlderState(to.records, original))
  if (!isCopy && !isOlder) throw foreign(mark, original)
  await putMark(to.records, markOf(original, false))
}

/** From now on it can be served. */
export async function endCopy(to: Store, original: Original, from: Store): Promise<void> {
  const identity = await from.records.read(identityKey)
  if (identity) await to.records.put(identityKey, identity)
  await putMark(to.records, markOf(original, true))
}

/**
 * A store that is served is no copy any more: it gets images that its original does not have.
 * @throws Refusal when it is a copy that is not complete
 */
export async function becomeOriginal({ records }: Pick<Store, 'records'>): Promise<void> {
  const mark = await readMark(records)
  if (!mark) return
  if (!mark.isComplete) {
    throw new Refusal(
      'UNSUPPORTED',
      `this storage is a copy of ${mark.place} that is not complete; run slipway copy-store again, to its end`,
    )
  }
  await records.remove(markKey)
}

function markOf({ place, identity }: Original, isComplete: boolean): Mark {
  return { place, identity, isComplete }
}

function isSame(mark: Mark, { place, identity }: Original): boolean {
  if (mark.identity !== null && identity !== null) return mark.identity === identity
  return mark.place === place
}

/** One that was opened more often has images that the original does not have. */
async function isOlderState(records: Records, original: Original): Promise<boolean> {
  const own = await openingsOf(records)
  return own !== null && own.id === original.identity && own.generation <= original.generation
}

async function isEmpty(store: Store): Promise<boolean> {
  for await (const key of store.records.list('')) if (key) return false
  for await (const blob of store.list()) if (blob) return false
  return true
}

async function readMark(records: Records): Promise<Mark | null> {
  const bytes = await records.read(markKey)
  return bytes && markSchema.parse(JSON.parse(Buffer.from(bytes).toString()))
}

async function putMark(records: Records, mark: Mark): Promise<void> {
  await records.put(markKey, Buffer.from(JSON.stringify(mark)))
}

function foreign(mark: Mark | null, { place }: Original): Refusal {
  const held = mark
    ? `is a copy of ${mark.place}`
    : 'holds images and is no copy, or has been served'
  return new Refusal(
    'UNSUPPORTED',
    `the target ${held}; give an empty one, a copy of ${place}, or, to replace an older state of the same storage, --replace`,
  )
}
