import { Failure, type Code } from '../../src/errors.ts'
import { Inspection } from '../../src/inspect/inspection.ts'
import { survey, type WholeFile } from '../../src/inspect/survey.ts'
import { bytesOf } from '../fixtures/corpus/bytes.ts'
import { limits } from '../fixtures/corpus/corpus.ts'
import { patience } from './judge.ts'

/** A file in memory, in pieces of which some may be the same memory: zeros. */
export type Pieces = readonly Buffer[]

/** The first piece is what tests change; it covers what is inspected first, and the metadata of a VHDX. */
export const firstPiece = 3_407_872

export async function load(path: string, ends?: number): Promise<Pieces> {
  const { body, size } = await bytesOf(path, ends)
  const pieces: Buffer[] = []
  for await (const piece of body) if (Buffer.isBuffer(piece)) pieces.push(piece)
  if (ends !== undefined && size > 2 * ends) return pieces
  const all = Buffer.concat(pieces)
  return [all.subarray(0, firstPiece), all.subarray(firstPiece)]
}

export function sizeOf(pieces: Pieces): number {
  return pieces.reduce((sum, { length }) => sum + length, 0)
}

/** The first `length` bytes. */
export function cut(pieces: Pieces, length: number): Pieces {
  let left = length
  return pieces.map((piece) => {
    const part = piece.subarray(0, Math.max(0, left))
    left -= part.length
    return part
  })
}

export function wholeOf(pieces: Pieces): WholeFile {
  return {
    size: sizeOf(pieces),
    async read(offset, length) {
      const parts: Buffer[] = []
      let start = 0
      for (const piece of pieces) {
        const from = Math.max(0, offset - start)
        const to = Math.min(piece.length, offset + length - start)
        if (from < to) parts.push(piece.subarray(from, to))
        start += piece.length
      }
      return Buffer.concat(parts)
    },
  }
}

export type Answer = Code | 'accepted'

/** What the first look finds, or the Failure by which the file is refused. */
export function firstLook(pieces: Pieces, size: number | null) {
  try {
    const inspection = new Inspection(limits, size)
    for (const piece of pieces) inspection.push(piece)
    return inspection.finish()
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}

/** Both looks. */
export async function bothLooks(pieces: Pieces, size: number | null): Promise<Answer> {
  const found = firstLook(pieces, size)
  if (found instanceof Failure) return found.code
  return answerOf(survey(found.format, wholeOf(pieces), AbortSignal.timeout(patience)))
}

/** How the work ends; what it fails with that is no Failure is passed on. */
export async function answerOf(work: Promise<unknown>): Promise<Answer> {
  try {
    await work
    return 'accepted'
  } catch (error) {
    if (error instanceof Failure) return error.code
    throw error
  }
}
