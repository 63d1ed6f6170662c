import { Flaw } from '../errors.ts'
import type { WholeFile } from './survey.ts'
import { headLength, Windows } from './windows.ts'

/** The most that is read at once, so that a table of any length costs the same memory. */
export const pieceLength = 1_048_576

/** Bytes of the file; `name` is what a message calls them. */
export type Stretch = { readonly name: string; readonly offset: number; readonly length: number }

export type Piece = {
  /** Where its first byte stands in the stretch. */
  readonly at: number
  readonly bytes: DataView
}

/**
 * A stretch of the file from its start to its end, in pieces of at most `pieceLength`. Entries of 2^n bytes are never
 * torn. Between two pieces the event loop breathes, because a read is awaited.
 * @throws Flaw INVALID_HEADER when the file ends before; what `file.read` throws
 */
export async function* pieces(
  file: WholeFile,
  stretch: Stretch,
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  for (let at = 0; at < stretch.length; at += pieceLength) {
    const length = Math.min(pieceLength, stretch.length - at)
    yield {
      at,
      bytes: await readAll(file, { ...stretch, offset: stretch.offset + at, length }, signal),
    }
  }
}

/** A stretch whose length is bounded by a constant, whole. Throws as `pieces` does. */
export async function readAll(
  file: WholeFile,
  { name, offset, length }: Stretch,
  signal: AbortSignal,
): Promise<DataView> {
  const bytes = await file.read(offset, length, signal)
  if (bytes.length === length) return new DataView(bytes.buffer, bytes.byteOffset, length)
  throw cutShort(name, offset + length, file)
}

/** The start of a file, as much as its header needs, so that what reads headers from windows can read it once more. */
export async function readHead(
  file: WholeFile,
  needed: number,
  signal: AbortSignal,
): Promise<Windows> {
  const windows = new Windows(file.size)
  const length = Math.min(needed, headLength, file.size)
  for await (const { bytes } of pieces(file, { name: 'header', offset: 0, length }, signal)) {
    windows.push(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }
  return windows
}

/** The refusal of something that would lie behind the file's end. */
export function cutShort(name: string, end: number, { size }: { readonly size: number }): Flaw {
  return damaged(
    `the ${name} would end at byte ${end} but the file has ${size} bytes; it was cut short`,
  )
}

export function damaged(message: string): Flaw {
  return new Flaw('INVALID_HEADER', message)
}
