import { z } from 'zod'
import { isDigest, type Digest } from '../../image/digest.ts'
import { partSizeOf } from '../../image/part-plan.ts'
import type { Bucket } from './bucket.ts'
import { parsedJson } from './parsed-json.ts'
import { pieceSchema, type Piece } from './piece.ts'

/** Re-reading what was resumed makes a piece each time; one that was resumed more often than this begins anew. */
export const mostPieces = 1000

const stateSchema = z.object({
  partSize: z.int().min(1),
  pieces: z.array(pieceSchema),
  open: z.object({ key: z.string(), id: z.string() }).nullable(),
  publishing: z.custom<Digest>((text) => typeof text === 'string' && isDigest(text)).nullable(),
})
export type State = Readonly<Omit<z.infer<typeof stateSchema>, 'pieces'>> & {
  readonly pieces: readonly Piece[]
}

export const stateKey = (id: string) => `staging/${id}`
export const objectsPrefix = 'objects/'

/** What is there of a staging whose note cannot be read: nothing that anybody could go on from. */
export const unreadable: State = {
  partSize: partSizeOf(null),
  pieces: [],
  open: null,
  publishing: null,
}

/** What is kept of a staging, null when there is nothing. */
export async function stateOf(bucket: Bucket, id: string): Promise<State | null> {
  const bytes = await bucket.read(stateKey(id))
  return bytes && (stateSchema.safeParse(parsedJson(bytes)).data ?? unreadable)
}

/** Removes what a staging has in the bucket, and last of all the note of it. */
export async function discardState(
  bucket: Bucket,
  id: string,
  { pieces, open }: Pick<State, 'pieces' | 'open'>,
): Promise<void> {
  if (open) {
    await bucket.abort(open)
    // It may have been completed without anybody noticing.
    await bucket.remove(open.key)
  }
  for (const { key } of pieces) await bucket.remove(key)
  await bucket.remove(stateKey(id))
}
