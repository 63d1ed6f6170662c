import type { Failure } from '../../errors.ts'
import { SourceBody } from '../body.ts'
import { unavailable } from '../breaks.ts'
import { extentOf } from '../resume.ts'
import { uncounted } from '../tally.ts'
import type { Arrival } from '../travel.ts'

export type SmallBody = {
  /** Bytes. */
  readonly most: number
  /** Milliseconds without a byte. */
  readonly silence: number
  readonly tooLarge: () => Failure
}

/**
 * The whole body of an answer that is small. No more than `most` is ever read; the connection is closed however it ends.
 * @throws what `tooLarge` makes; Outage SOURCE_UNAVAILABLE; the reason of an abort
 */
export async function readSmall(
  { answer }: Arrival,
  { most, silence, tooLarge }: SmallBody,
  signal: AbortSignal,
): Promise<Buffer> {
  const { size } = extentOf(answer, null)
  // So little, and in a time of its own, is not made to wait.
  const options = { silence, tally: uncounted, pace: null }
  const body = new SourceBody(answer, { offset: 0, size }, options, signal)
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    length += chunk.length
    if (length > most) throw tooLarge()
  }
  return Buffer.concat(chunks, length)
}

/**
 * Does `work` within a time in all, so that no server holds it by a byte now and then.
 * @throws Outage SOURCE_UNAVAILABLE when it takes longer
 */
export async function inTime<Value>(
  limit: number,
  what: string,
  work: (signal: AbortSignal) => Promise<Value>,
  signal: AbortSignal,
): Promise<Value> {
  const late = AbortSignal.timeout(limit)
  try {
    return await work(AbortSignal.any([signal, late]))
  } catch (error) {
    signal.throwIfAborted()
    if (!late.aborted) throw error
    throw unavailable(`no whole answer came within ${limit / 1000} s for ${what}`, error)
  }
}
