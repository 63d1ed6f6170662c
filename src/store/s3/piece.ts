import { z } from 'zod'
import type { ByteRange } from '../store.ts'

/** Bytes of one object: `size` of them from `start` on. */
export const pieceSchema = z.object({
  key: z.string(),
  start: z.int().min(0),
  size: z.int().min(0),
})
export type Piece = Readonly<z.infer<typeof pieceSchema>>

/** Bytes `start` to `end` of the object, both included. */
export type Stretch = ByteRange & { readonly key: string }

export function sizeOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { size }) => sum + size, 0)
}

/** Where the bytes of a range, counted over all pieces, lie. */
export function stretchesOf(pieces: readonly Piece[], { start, end }: ByteRange): Stretch[] {
  let begin = 0
  return pieces.flatMap((piece) => {
    const from = Math.max(start - begin, 0)
    const to = Math.min(end - begin, piece.size - 1)
    begin += piece.size
    return from > to ? [] : [{ key: piece.key, start: piece.start + from, end: piece.start + to }]
  })
}

/** The first `size` bytes of them. */
export function firstOf(pieces: readonly Piece[], size: number): Piece[] {
  let left = size
  return pieces.flatMap((piece) => {
    const kept = Math.min(left, piece.size)
    left -= kept
    return kept > 0 ? [{ ...piece, size: kept }] : []
  })
}

/** All but the first `size` bytes of them. */
export function behindOf(pieces: readonly Piece[], size: number): Piece[] {
  let left = size
  return pieces.flatMap((piece) => {
    const dropped = Math.min(left, piece.size)
    left -= dropped
    const rest = piece.size - dropped
    return rest > 0 ? [{ key: piece.key, start: piece.start + dropped, size: rest }] : []
  })
}
