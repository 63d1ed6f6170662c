import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { partSizeOf } from '../../src/image/part-plan.ts'
import { Bucket } from '../../src/store/s3/bucket.ts'
import { connect, leaveBodiesUnsigned } from '../../src/store/s3/connection.ts'
import { S3Store } from '../../src/store/s3/store.ts'
import { s3Credentials } from '../support/s3.ts'
import type { Counted } from '../support/s3-counting.ts'
import { temporaryFolder } from '../support/temporary.ts'

const mebibyte = 1024 * 1024
const gibibyte = 1024 * mebibyte
/** Milliseconds: the hash alone takes two minutes on a quiet machine. */
const patience = 1_200_000

/** A stand-in that only counts, in a thread of its own. */
async function startCounting() {
  const worker = new Worker(new URL('../support/s3-counting.ts', import.meta.url))
  const counted: Counted[] = []
  const [port] = await once(worker, 'message')
  worker.on('message', (told: Counted) => counted.push(told))
  return {
    endpoint: `http://127.0.0.1:${port}`,
    counted,
    [Symbol.asyncDispose]: async () => void (await worker.terminate()),
  }
}

/** The same bytes again and again. */
function* repeated(size: number) {
  const chunk = Buffer.alloc(mebibyte, 'slipway')
  for (let left = size; left > 0; left -= chunk.length) {
    yield chunk.subarray(0, Math.min(left, chunk.length))
  }
}

test(
  '120 GiB go up in one piece, into a stand-in that counts bytes and keeps none',
  async () => {
    await using folder = await temporaryFolder()
    await using s3 = await startCounting()
    const client = connect({
      endpoint: s3.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: s3Credentials,
    })
    leaveBodiesUnsigned(client)
    const at = { bucket: 'counted', endpoint: s3.endpoint }
    await using store = await S3Store.open({
      bucket: new Bucket(client, at, ''),
      scratch: folder.path,
      buffer: 256 * mebibyte,
      sign: null,
      nameOf: (key) => key,
      lost: (error) => {
        throw error
      },
    })
    const size = 120 * gibibyte + 5
    const signal = AbortSignal.timeout(patience)
    const began = performance.now()
    await using staging = await store.stage({ size })
    await staging.append(repeated(size), signal)
    const { digest } = await staging.seal(signal)
    expect(await staging.publish(digest)).toEqual({ digest, size })
    console.info('GiB a second', size / gibibyte / ((performance.now() - began) / 1000))
    const [upload, ...others] = s3.counted
    expect(others).toEqual([])
    const part = partSizeOf(size)
    expect(upload?.parts.length).toBe(Math.ceil(size / part))
    expect(new Set(upload?.parts.slice(0, -1))).toEqual(new Set([part]))
    expect(upload?.parts.reduce((sum, each) => sum + each, 0)).toBe(size)
    expect(await store.stat(digest)).toEqual({ digest, size })
  },
  patience,
)
