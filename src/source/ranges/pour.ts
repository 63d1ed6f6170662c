import { finished } from 'node:stream/promises'
import type { SourceBody } from '../body.ts'
import type { Span } from './span.ts'

/** What a long span holds at most, as long as the reader has not taken it. */
const mostHeld = 512 * 1024

/**
 * Pours a body into a span until either ends. What the body has beyond the span is cut off, once others fetch it. Of a
 * `long` one no more is taken than the reader takes.
 * @param put into the span; gives what lies behind its end
 * @throws what the body fails with
 */
export async function pour(
  body: SourceBody,
  span: Span,
  long: boolean,
  put: (chunk: Buffer) => Buffer,
): Promise<void> {
  const { end } = span
  let isCut = false
  const cut = () => {
    isCut = true
    body.destroy()
  }
  const hold = async (wait: Promise<void>, left: Buffer) => {
    body.pause()
    await wait
    accept(left)
    body.resume()
  }
  const accept = (chunk: Buffer) => {
    const left = put(chunk)
    const wait = left.length > 0 ? span.loan : long && span.held > mostHeld ? span.drained : null
    if (wait) void hold(wait, left)
    else if (left.length > 0 || (span.isWhole && span.end < end)) cut()
  }
  body.on('data', accept)
  try {
    await finished(body)
  } catch (error) {
    if (!isCut) throw error
  }
  if (span.at === span.end) await span.loan
}
