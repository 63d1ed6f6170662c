import { open, type FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { Facts } from '../../src/image/format.ts'
import { survey, type WholeFile } from '../../src/inspect/survey.ts'
import { isWrapped } from '../../src/unwrap/table.ts'
import { peekLength } from '../../src/unwrap/unwrapper.ts'
import { examine } from '../../src/work/examine.ts'
import { bytesOf } from '../fixtures/corpus/bytes.ts'
import { limits } from '../fixtures/corpus/corpus.ts'

/** A verdict takes milliseconds; a machine under load must not fail a test, an endless loop must. */
export const patience = 15_000

/**
 * What the service finds in a file: the first look at all its bytes, unwrapped, as they pass, and the second at what then
 * lies whole on the disk. A wrapped file is not laid down here, and gets no second look.
 * @throws Flaw, and what else goes wrong
 */
export async function judge(path: string, ends?: number): Promise<Facts> {
  const facts = await judgePassing(path, ends, 'known')
  const deadline = AbortSignal.timeout(patience)
  await using file = await open(path)
  const whole = wholeFile(file, (await file.stat()).size)
  if (!isWrapped(await whole.read(0, peekLength, deadline))) {
    await survey(facts.format, whole, deadline)
  }
  return facts
}

/** Only the first look, at a file whose length is told before it comes, or is not. */
export async function judgePassing(
  path: string,
  ends: number | undefined,
  length: 'known' | 'unknown',
): Promise<Facts> {
  const { body, size } = await bytesOf(path, ends)
  const told = length === 'known' ? size : null
  return examine(body, told, limits, AbortSignal.timeout(patience))
}

export function wholeFile(file: FileHandle, size: number): WholeFile {
  return {
    size,
    async read(offset, length) {
      const wanted = Math.max(0, Math.min(length, size - offset))
      const { buffer } = await file.read(Buffer.alloc(wanted), 0, wanted, offset)
      return buffer
    },
  }
}

/** What is found in bytes that come in these pieces. */
export function examinePieces(pieces: readonly Buffer[], size: number | null): Promise<Facts> {
  const body = Readable.from(pieces, { objectMode: false })
  return examine(body, size, limits, AbortSignal.timeout(patience))
}
