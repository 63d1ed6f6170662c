import type { IncomingMessage, ServerResponse } from 'node:http'
import { Outage, Refusal } from '../errors.ts'
import { expectsContinue } from './request-body.ts'

export type SmallBodyOptions = {
  /** Bytes. */
  readonly limit: number
  /** From now to the last byte, in milliseconds. */
  readonly within: number
  /** What is said of a body above the limit. */
  readonly tooLarge: () => Refusal
  /** Is told to go on when the client waits for that (RFC 9110 section 10.1.1), and to end after a body that is too slow. */
  readonly outgoing?: ServerResponse
}

/**
 * A whole body that fits into memory: a manifest, a request in JSON. It never waits for the rest of what it refuses.
 * @throws Refusal `tooLarge()`, as soon as the length or the bytes exceed the limit; REQUEST_TIMEOUT
 * @throws Outage PUSH_INTERRUPTED when the client breaks off
 */
export async function readSmallBody(
  incoming: IncomingMessage,
  { limit, within, tooLarge, outgoing }: SmallBodyOptions,
): Promise<Buffer> {
  if (Number(incoming.headers['content-length'] ?? 0) > limit) throw tooLarge()
  if (incoming.destroyed) throw interrupted()
  if (outgoing && expectsContinue(incoming)) outgoing.writeContinue()
  const late = () => {
    if (outgoing) outgoing.shouldKeepAlive = false
    return new Refusal('REQUEST_TIMEOUT', `the body has to come within ${within / 1000} seconds`)
  }
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const collected = new Collected(limit)
  const take = (chunk: Buffer) => {
    if (!collected.add(chunk)) reject(tooLarge())
  }
  const end = () => resolve(collected.bytes())
  const broken = () => reject(interrupted())
  // It stays: the request's own failure comes later at times, and has nobody else to go to.
  incoming.on('error', broken)
  incoming.on('data', take).on('end', end).on('close', broken)
  const timer = setTimeout(() => reject(late()), within)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    incoming.off('data', take).off('end', end).off('close', broken)
    incoming.pause()
  }
}

function interrupted(): Outage {
  return new Outage('PUSH_INTERRUPTED', 'the connection broke before the whole body was here')
}

/** Bytes in one piece of memory: of a body that comes byte by byte, the pieces would weigh a hundred times as much. */
class Collected {
  readonly #limit: number
  #memory = Buffer.alloc(0)
  #size = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** @returns false when it would exceed the limit */
  add(chunk: Buffer): boolean {
    const size = this.#size + chunk.length
    if (size > this.#limit) return false
    if (size > this.#memory.length) this.#grow(size)
    chunk.copy(this.#memory, this.#size)
    this.#size = size
    return true
  }

  bytes(): Buffer {
    return this.#memory.subarray(0, this.#size)
  }

  #grow(size: number): void {
    const memory = Buffer.alloc(Math.min(this.#limit, Math.max(4096, 2 * size)))
    this.#memory.copy(memory, 0, 0, this.#size)
    this.#memory = memory
  }
}
