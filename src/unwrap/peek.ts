import { finished, Readable } from 'node:stream'
import { Bug } from '../errors.ts'
import { peekLength } from './unwrapper.ts'

/** `body` gives all bytes, those of `head` among them. */
export type Peeked = { readonly head: Buffer; readonly body: Readable }

/**
 * Looks at the first bytes and puts them back, so that nothing stands between the reader and the stream afterwards.
 * @throws what the stream fails with
 */
export async function peek(body: Readable): Promise<Peeked> {
  const chunks: Buffer[] = []
  let length = 0
  while (length < peekLength) {
    const chunk: unknown = body.read()
    if (chunk === null) {
      if (!(await hasMore(body))) return ofBytes(Buffer.concat(chunks))
      continue
    }
    if (!(chunk instanceof Uint8Array)) throw new Bug('a body gave something other than bytes')
    chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    length += chunk.length
  }
  const bytes = Buffer.concat(chunks)
  body.unshift(bytes)
  return { head: bytes.subarray(0, peekLength), body }
}

/** A stream that has ended takes nothing back, so its few bytes are given again by another. */
function ofBytes(bytes: Buffer): Peeked {
  const body = new Readable({ read() {} })
  if (bytes.length > 0) body.push(bytes)
  body.push(null)
  return { head: bytes, body }
}

/** Waits until there may be something to read; false when the stream has ended. */
function hasMore(body: Readable): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const stop = finished(body, { writable: false }, (error) => {
      settle()
      if (error) reject(error)
      else resolve(false)
    })
    const ready = () => {
      settle()
      resolve(true)
    }
    const settle = () => {
      stop()
      body.off('readable', ready)
    }
    body.on('readable', ready)
  })
}
