import { addAbortSignal, type Readable } from 'node:stream'
import { Refusal, type Failure } from '../errors.ts'
import { formatDuration } from '../image/duration.ts'

/**
 * Ends a body with a signal, even while nobody reads it. Its failure is kept for the reader: until someone reads, it must
 * not stop the process.
 */
export function bindTo(signal: AbortSignal, body: Readable): void {
  body.on('error', () => {})
  addAbortSignal(signal, body)
}

/**
 * A signal that ends with `signal`, or when a body has been silent for too long: the sender's silence, not ours, so the
 * time while its bytes wait here for the disk does not count.
 * @param limit milliseconds
 * @param late what the body ends with then
 */
export function untilIdle(
  body: Readable,
  limit: number,
  signal: AbortSignal,
  late: () => Failure = () => timedOut(limit),
) {
  const controller = new AbortController()
  const ring = () => {
    // All of it has come; what is still done with it takes its own time.
    if (body.readableEnded || body.destroyed) return timer
    if (body.readableLength > 0) return timer.refresh()
    controller.abort(late())
    return timer
  }
  const timer: NodeJS.Timeout = setTimeout(ring, limit).unref()
  const heard = () => void timer.refresh()
  body.on('readable', heard)
  return {
    signal: AbortSignal.any([controller.signal, signal]),
    [Symbol.dispose]() {
      clearTimeout(timer)
      body.off('readable', heard)
    },
  }
}

const brokenCodes = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE'])

function timedOut(limit: number): Refusal {
  const duration = formatDuration(limit)
  return new Refusal(
    'UPLOAD_TIMEOUT',
    `no byte of the upload arrived for ${duration}; ask for a new upload URL with retry`,
  )
}

/** Whether it was the connection that failed, not what was sent over it. */
export function isBroken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && brokenCodes.has(String(error.code))
}
