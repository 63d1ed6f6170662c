import type { Readable } from 'node:stream'
import { Failure, Outage, Refusal } from '../errors.ts'
import type { Staging } from '../store/store.ts'
import { Stopped } from './active.ts'
import { bindTo, isBroken, untilSilent } from './body.ts'
import { untold } from './journeys.ts'
import { Meter } from './meter.ts'
import type { Room } from './room.ts'

/** A part of a blob as a request brings it. */
export type Chunk = {
  readonly body: Readable
  /** Where it begins in the blob, null when the request does not tell: behind what is there. */
  readonly start: number | null
  /** Bytes, null when the request does not tell. */
  readonly size: number | null
}

/** A client that sends nothing for so long has gone, in milliseconds. */
const silence = 300_000

/**
 * Appends what a client sends, as long as there is room and it goes on sending. What came before a failure is staged.
 * @param heard told whenever bytes come
 * @throws Refusal SIZE_INVALID, TOO_LARGE; Outage PUSH_INTERRUPTED, STORAGE_FULL
 */
export async function receive(
  staging: Staging,
  { body, size }: Chunk,
  room: Room,
  heard: () => void,
  signal: AbortSignal,
): Promise<void> {
  const before = staging.size
  room.checkSize(before + (size ?? 0))
  using claim = await room.claim(size)
  const meter = new Meter({ size, before, onBytes: heard, journey: untold }, room, claim)
  // Bytes that are here wait for the disk, not for the client.
  const isWaiting = () => body.readableEnded || body.readableLength > 0 || body.isPaused()
  using watched = untilSilent(silence, isWaiting, silent, signal)
  bindTo(watched.signal, body)
  const tap = (chunk: Uint8Array) => {
    watched.heard()
    const wait = meter.count(chunk.length)
    if (size !== null && meter.received > size) throw otherSize(size, meter.received)
    return wait
  }
  try {
    await staging.append(body, watched.signal, [], tap)
    await meter.end()
  } catch (error) {
    throw explained(error, watched.signal)
  } finally {
    body.destroy()
  }
  if (size !== null && meter.received !== size) throw otherSize(size, meter.received)
}

function otherSize(announced: number, received: number): Refusal {
  return new Refusal('SIZE_INVALID', `${announced} bytes were announced, ${received} came`)
}

function silent(): Outage {
  return new Outage(
    'PUSH_INTERRUPTED',
    'nothing was sent for five minutes; ask for the offset and go on',
  )
}

/** What a failure means to the client of a push. */
export function explained(error: unknown, signal: AbortSignal): unknown {
  const reason: unknown = signal.aborted ? signal.reason : error
  if (reason instanceof Failure) return reason
  if (reason instanceof Stopped && reason.why === 'shutdown') {
    return new Outage('SHUTTING_DOWN', 'the service is being restarted; ask for the offset then')
  }
  if (reason instanceof Stopped) {
    const what = reason.why === 'deleted' ? 'the upload was cancelled' : 'another request goes on'
    return new Outage('PUSH_INTERRUPTED', `${what} with this upload; this request has ended`)
  }
  if (!isBroken(reason)) return error
  return new Outage('PUSH_INTERRUPTED', 'the connection broke; ask for the offset and go on')
}
