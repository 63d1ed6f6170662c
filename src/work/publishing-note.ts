import { z } from 'zod'
import type { Tables } from '../catalog/catalog.ts'
import type { Image } from '../catalog/images.ts'
import { storedSchema, type Stored } from '../image/stored.ts'

const noteSchema = z.object({ attempt: z.int(), stored: storedSchema })

type Facts = Pick<Tables, 'facts'>

/**
 * Notes beside the leases what an image is about to be made of: once its bytes are in their place nothing is staged any more,
 * and a crash before it is Ready would cost all of them.
 */
export async function notePublishing(
  { uid, attempt }: Pick<Image, 'uid' | 'attempt'>,
  stored: Stored,
  { facts }: Facts,
): Promise<void> {
  await facts.write(nameOf(uid), JSON.stringify({ attempt, stored }))
}

/** The image is Ready, or has gone. */
export async function forgetPublishing(uid: string, { facts }: Facts): Promise<void> {
  await facts.remove(nameOf(uid))
}

/** Null when nothing was noted in this attempt, or by a version that noted it in another way. */
export async function notedOf(
  { uid, attempt }: Pick<Image, 'uid' | 'attempt'>,
  { facts }: Facts,
): Promise<Stored | null> {
  const text = await facts.read(nameOf(uid))
  const { success, data } = noteSchema.safeParse(JSON.parse(text ?? 'null'))
  return success && data.attempt === attempt ? data.stored : null
}

function nameOf(uid: string): string {
  return `publishing ${uid}`
}
