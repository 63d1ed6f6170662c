import { expect } from 'vitest'
import { Bug, Failure, type Code } from '../../src/errors.ts'
import type { Format } from '../../src/image/format.ts'
import { inspectSparsely } from '../../src/inspect/sparse.ts'
import { survey, type WholeFile } from '../../src/inspect/survey.ts'
import { Random } from './random.ts'

const never = new AbortController().signal
const limits = { maxVirtualSize: 1024 ** 5 }
/** The most that a survey may read at once (src/inspect/pieces.ts). */
const longestRead = 1_048_576

type Counted = { readonly file: WholeFile; readonly reads: number[] }

/** A file in memory that keeps the length of every read; each answer has its own memory. */
export function wholeFile(bytes: Buffer): Counted {
  const reads: number[] = []
  const read = (offset: number, length: number, signal: AbortSignal) => {
    if (signal.aborted) return Promise.reject(signal.reason)
    const found = Buffer.from(bytes.subarray(offset, offset + length))
    reads.push(found.length)
    return Promise.resolve(found)
  }
  return { file: { size: bytes.length, read }, reads }
}

export type Looked = {
  /** Null when it was accepted. */
  readonly code: Code | null
  readonly message: string
  readonly allocatedBytes: number | null
  /** Bytes that the survey has read. */
  readonly read: number
}

/** Both looks at a file. What is thrown besides a Failure is passed on. */
export async function look(format: Format, bytes: Buffer): Promise<Looked> {
  try {
    const facts = await inspectSparsely(wholeFile(bytes).file, limits, never)
    expect(facts.format).toBe(format)
    return await secondLook(format, bytes)
  } catch (error) {
    return refusal(error, 0)
  }
}

/** The survey alone, of a file whose header is sound. */
export async function secondLook(format: Format, bytes: Buffer): Promise<Looked> {
  const { file, reads } = wholeFile(bytes)
  const sum = () => reads.reduce((all, length) => all + length, 0)
  try {
    const found = await survey(format, file, never)
    expect(Math.max(...reads)).toBeLessThanOrEqual(longestRead)
    return { code: null, message: '', read: sum(), allocatedBytes: found?.allocatedBytes ?? 0 }
  } catch (error) {
    return refusal(error, sum())
  }
}

function refusal(error: unknown, read: number): Looked {
  if (!(error instanceof Failure) || error instanceof Bug) throw error
  return { code: error.code, message: error.message, read, allocatedBytes: null }
}

/** What is read is bounded by the file, its tables three times at most, and by the head. */
const mostRead = (size: number) => 3 * size + 3 * longestRead

/**
 * Flips a bit or a few in the tables at `places` (offset and length), which the first look does not read: nothing but
 * INVALID_HEADER or an answer may come of it.
 * @returns how many were refused
 */
export async function flipped(
  format: Format,
  bytes: Buffer,
  places: readonly (readonly [number, number])[],
  rounds: number,
): Promise<number> {
  const random = new Random(bytes.length)
  let refused = 0
  for (let round = 0; round < rounds; round += 1) {
    const flips = Array.from({ length: 1 + random.below(3) }, () => {
      const [offset, length] = places[random.below(places.length)] ?? [0, 1]
      return [offset + random.below(length), 1 << random.below(8)] as const
    })
    for (const [at, bit] of flips) bytes.writeUInt8(bytes.readUInt8(at) ^ bit, at)
    const { code, read } = await secondLook(format, bytes)
    for (const [at, bit] of flips) bytes.writeUInt8(bytes.readUInt8(at) ^ bit, at)
    expect(['INVALID_HEADER', null]).toContain(code)
    expect(read).toBeLessThanOrEqual(mostRead(bytes.length))
    if (code !== null) refused += 1
  }
  return refused
}
