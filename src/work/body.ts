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
 * A signal that ends with `signal`, or when nothing has been heard for too long.
 * @param limit milliseconds
 * @param isWaiting whether it is not the sender who is waited for
 * @param late what it ends with then
 */
export function untilSilent(
  limit: number,
  isWaiting: () => boolean,
  late: () => Failure,
  signal: AbortSignal,
) {
  const controller = new AbortController()
  const timer: NodeJS.Timeout = setTimeout(() => {
    if (isWaiting()) timer.refresh()
    else controller.abort(late())
  }, limit).unref()
  return {
    signal: AbortSignal.any([controller.signal, signal]),
    heard: () => void timer.refresh(),
    [Symbol.dispose]: () => clearTimeout(timer),
  }
}

/**
 * A signal that ends with `signal`, or when a body has been silent for too long: the sender's silence, not ours, so the
 * time while its bytes wait here for the disk does not count.
 * @param limit milliseconds
 */
export function untilIdle(body: Readable, limit: number, signal: AbortSignal) {
  // When all of it has come, what is still done with it takes its own time.
  const isWaiting = () => body.readableEnded || body.destroyed || body.readableLength > 0
  const watched = untilSilent(limit, isWaiting, () => timedOut(limit), signal)
  body.on('readable', watched.heard)
  return {
    signal: watched.signal,
    [Symbol.dispose]() {
      watched[Symbol.dispose]()
      body.off('readable', watched.heard)
    },
  }
}

function timedOut(limit: number): Refusal {
  const duration = formatDuration(limit)
  return new Refusal(
    'UPLOAD_TIMEOUT',
    `no byte of the upload arrived for ${duration}; ask for a new upload URL with retry`,
  )
}

const brokenCodes = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_STREAM_PREMATURE_CLOSE'])

/** Whether it was the connection that failed, not what was sent over it. */
export function isBroken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && brokenCodes.has(String(error.code))
}
