import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseDigest } from '../../src/image/digest.ts'
import { needsS3, startS3, type S3 } from '../support/s3.ts'
import { openStoreOn } from '../support/s3-store.ts'
import { temporaryFolder } from '../support/temporary.ts'

const mebibyte = 1024 * 1024
const signal = AbortSignal.timeout(110_000)

let s3: S3

beforeAll(async () => {
  if (needsS3()) s3 = await startS3()
})
afterAll(() => s3?.[Symbol.asyncDispose]())

/** Bytes of their own for each seed, told as a digest, too. */
function* bytesOf(seed: number, size: number, hash = createHash('sha256')) {
  const chunk = Buffer.alloc(300_007, `of ${seed},`)
  for (let left = size; left > 0; left -= chunk.length) {
    const piece = chunk.subarray(0, Math.min(left, chunk.length))
    hash.update(piece)
    yield piece
  }
}

describe.skipIf(!needsS3())('many at once', () => {
  test('60 transfers of told and untold lengths share 48 MiB, and each arrives whole', async () => {
    await using folder = await temporaryFolder()
    await using store = await openStoreOn(s3, folder.path, { buffer: 48 * mebibyte })
    const digests = await Promise.all(
      Array.from({ length: 60 }, async (_, seed) => {
        const size = 1000 + seed * 700_001
        const hash = createHash('sha256')
        await using staging = await store.stage({ size: seed % 2 === 0 ? size : null })
        await staging.append(bytesOf(seed, size, hash), signal)
        const digest = parseDigest(`sha256:${hash.digest('hex')}`)
        expect(await staging.publish(digest)).toEqual({ digest, size })
        return digest
      }),
    )
    for (const digest of digests) {
      const hash = createHash('sha256')
      await using opened = await store.open(digest, null, signal)
      for await (const chunk of opened.stream()) hash.update(chunk)
      expect(`sha256:${hash.digest('hex')}`).toBe(digest)
    }
    expect(await readdir(folder.path)).toEqual([])
    expect(await store.staged()).toEqual([])
    expect(await Array.fromAsync(store.strays(Date.now() + 60_000))).toEqual([])
  })
})
