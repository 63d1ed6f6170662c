import { z } from 'zod'
import { Refusal } from '../errors.ts'
import { statusSchema } from '../image/status.ts'
import type { Rest } from './rest.ts'

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
  try {
    return await rest.get(pathOf(name), ownedImageSchema, signal)
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
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
  try {
    await rest.delete(`${pathOf(name)}?uid=${encodeURIComponent(uid)}`, signal)
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

function pathOf(name: string): string {
  return `/api/v1/images/${encodeURIComponent(name)}`
}

function isGone(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'IMAGE_NOT_FOUND'
}
