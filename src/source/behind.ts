import { pipeline, Transform, type Readable } from 'node:stream'
import { keep, mostListeners } from './layers/verified.ts'

/**
 * What comes behind the first `count` bytes, which are read all the same. From the call on `body` belongs to the stream
 * that is returned: the first failure of either destroys both.
 */
export function behind(count: number, body: Readable): Readable {
  if (count === 0) return body
  let left = count
  const rest = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const passed = Math.min(left, chunk.length)
      left -= passed
      done(null, passed === chunk.length ? undefined : chunk.subarray(passed))
    },
  })
  pipeline(body, rest.setMaxListeners(mostListeners).on('error', keep), keep)
  return rest
}
