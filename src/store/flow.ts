import { Readable } from 'node:stream'
import type { Bytes } from './store.ts'

/** Takes a chunk at once, or tells when it will have been taken; until then no other one comes. */
export type Take = (chunk: Uint8Array) => Promise<void> | null

/**
 * Hands over all chunks of a body, one after the other. Those of a stream are taken in the very moment they arrive, while they
 * are in the processor's cache; a loop that waits for each of them costs a third more.
 * @throws what the body or `take` fails with, once nothing is being taken any more
 */
export async function flow(body: Bytes, take: Take): Promise<void> {
  if (body instanceof Readable && !body.readableFlowing && !body.destroyed) {
    return await flowStream(body, take)
  }
  for await (const chunk of body) await take(chunk)
}

async function flowStream(body: Readable, take: Take): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const taking: { now: Promise<void> | null } = { now: null }
  const goOn = async (wait: Promise<void>) => {
    try {
      await wait
      taking.now = null
      body.resume()
    } catch (error) {
      reject(error)
    }
  }
  const data = (chunk: Uint8Array) => {
    try {
      const wait = take(chunk)
      if (!wait) return
      body.pause()
      taking.now = wait
      void goOn(wait)
    } catch (error) {
      reject(error)
    }
  }
  const close = () => reject(closedEarly())
  body.on('end', resolve).on('error', reject).on('close', close).on('data', data)
  try {
    await promise
    // A stream may end while its last chunk is still being taken.
    await taking.now
  } catch (error) {
    body.off('data', data).pause()
    await taking.now?.catch(() => {})
    throw error
  } finally {
    body.off('end', resolve).off('error', reject).off('close', close).off('data', data)
  }
}

function closedEarly(): Error {
  return Object.assign(new Error('the stream was closed before its end'), {
    code: 'ERR_STREAM_PREMATURE_CLOSE',
  })
}
