import { z } from 'zod'
import { Refusal } from '../errors.ts'
import type { DataSource } from '../image/data-source.ts'
import type { Format } from '../image/format.ts'
import type { Phase } from '../image/phase.ts'
import { imageSchema, statusSchema } from '../image/status.ts'
import { pathOf } from './path.ts'
import type { Rest } from './rest.ts'

/** An image as REST shows it. */
export type Image = z.output<typeof imageSchema>

export type ImageFilter = {
  readonly phase?: Phase
  readonly format?: Format
  readonly cdrom?: boolean
}

/** Images of one answer: each may have a CA bundle of 256 KiB, and few have one. */
const pageSize = 500

const listSchema = z.object({ items: z.array(imageSchema), continue: z.string().optional() })

/** All that the filter lets through, by name, a page at a time; an empty page where there are none. */
export async function* imagePages(
  rest: Rest,
  filter: ImageFilter,
  signal: AbortSignal,
): AsyncGenerator<readonly Image[]> {
  const query = new URLSearchParams({ limit: String(pageSize) })
  for (const [name, value] of Object.entries(filter)) query.set(name, String(value))
  for (let more = true; more;) {
    const page = await rest.get(`/api/v1/images?${query.toString()}`, listSchema, signal)
    yield page.items
    more = page.continue !== undefined
    query.set('continue', page.continue ?? '')
  }
}

/** Null when the service itself says that there is none. */
export async function findImage(
  rest: Rest,
  name: string,
  signal: AbortSignal,
): Promise<Image | null> {
  return await unlessGone(() => rest.get(pathOf(name), imageSchema, signal))
}

/**
 * Safe to repeat. What comes back may be the image that there is already, with the same source.
 * @throws Refusal SPEC_DIFFERS, BEING_DELETED, and what the service says of the data source
 */
export async function newImage(
  rest: Rest,
  wanted: { readonly name: string; readonly dataSource: DataSource },
  signal: AbortSignal,
): Promise<Image> {
  return await rest.post('/api/v1/images', wanted, imageSchema, signal)
}

/**
 * Starts one again that is Failed or ImageLost.
 * @throws Refusal IMAGE_NOT_FOUND, NOT_RETRYABLE, SECRETS_ERASED
 */
export async function retryImage(rest: Rest, name: string, signal: AbortSignal): Promise<Image> {
  return await rest.post(`${pathOf(name)}/retry`, {}, imageSchema, signal)
}

/** Without its data source, which may hold a CA bundle: whoever asked for the image knows it. */
export const ownedImageSchema = z
  .object({
    name: z.string(),
    uid: z.string(),
    owner: z.object({ uid: z.string() }).optional(),
    status: statusSchema,
  })
  .transform(({ name, uid, owner, status }) => ({
    name,
    uid,
    ownerUid: owner?.uid ?? null,
    status,
  }))

/** An image of the service, and whose it is. */
export type OwnedImage = z.output<typeof ownedImageSchema>

export type WantedImage = {
  readonly name: string
  readonly dataSource: object
  readonly owner: { readonly uid: string }
}

/**
 * Safe to repeat.
 * @throws Refusal OWNER_DIFFERS, SPEC_DIFFERS, BEING_DELETED, and what the service says of the data source
 */
export async function createImage(
  rest: Rest,
  wanted: WantedImage,
  signal: AbortSignal,
): Promise<OwnedImage> {
  return await rest.post('/api/v1/images', wanted, ownedImageSchema, signal)
}

/** Null when the service itself says that there is none. */
export async function imageByName(
  rest: Rest,
  name: string,
  signal: AbortSignal,
): Promise<OwnedImage | null> {
  return await unlessGone(() => rest.get(pathOf(name), ownedImageSchema, signal))
}

/**
 * Resolves when nothing of it is left; fine where there was nothing.
 * @param uid of the image: another one that has the name by now stays
 * @throws Refusal UID_DIFFERS
 */
export async function deleteImage(
  rest: Rest,
  name: string,
  uid: string,
  signal: AbortSignal,
): Promise<void> {
  await unlessGone(() => rest.delete(`${pathOf(name)}?uid=${encodeURIComponent(uid)}`, signal))
}

async function unlessGone<Value>(ask: () => Promise<Value>): Promise<Value | null> {
  try {
    return await ask()
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'IMAGE_NOT_FOUND'
}
