import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { needsS3, startS3, type S3 } from '../support/s3.ts'
import { startFaultyS3, type Fault, type FaultyS3 } from '../support/s3-faults.ts'
import { bucketOn, openStoreOn, s3Kind } from '../support/s3-store.ts'
import { describeStore, whole } from '../support/store-suite.ts'
import { temporaryFolder } from '../support/temporary.ts'

const signal = new AbortController().signal

/** One of seven requests goes wrong. */
const road = { seed: 7, share: 15 }

let s3: S3
let faulty: FaultyS3

beforeAll(async () => {
  if (!needsS3()) return
  s3 = await startS3()
  faulty = await startFaultyS3(s3.endpoint, road)
})
afterAll(async () => {
  await faulty?.[Symbol.asyncDispose]()
  await s3?.[Symbol.asyncDispose]()
})

describe.skipIf(!needsS3())('on a bad road to a real S3 server', () => {
  describeStore({
    ...s3Kind(() => ({ endpoint: faulty.endpoint, bucket: s3.bucket, folder: s3.folder })),
    scale: whole,
  })

  test('where every kind of fault has happened', () => {
    console.info('faults', Object.fromEntries(faulty.counts))
    expect([...faulty.counts.values()].every((count) => count > 5)).toBe(true)
    expect(faulty.counts.size).toBe(5)
  })
})

describe.skipIf(!needsS3())('one fault on the way of a blob', () => {
  test.each<[Fault, string, RegExp]>([
    ['answer lost', 'POST', /\?uploads/],
    ['answer lost', 'PUT', /staging/],
    ['answer lost', 'PUT', /partNumber/],
    ['cut on its way', 'PUT', /partNumber/],
    ['slow down', 'PUT', /partNumber/],
    ['answer lost', 'POST', /uploadId/],
    ['cut on its way', 'POST', /uploadId/],
    ['answer lost', 'PUT', /links/],
    ['answer lost', 'DELETE', /staging/],
    ['cut on its way back', 'GET', /objects/],
  ])('changes nothing: %s at a %s of %s', async (fault, method, path) => {
    await using folder = await temporaryFolder()
    await using good = await startFaultyS3(s3.endpoint, { seed: 1, share: 0 })
    const store = await openStoreOn({ endpoint: good.endpoint, bucket: s3.bucket }, folder.path)
    const bytes = randomBytes(9 * 1024 * 1024)
    good.next(fault, method, path)
    await using staging = await store.stage({ size: bytes.length })
    await staging.append([bytes], signal)
    await staging.publish(digestOf(bytes))
    const opened = await store.open(digestOf(bytes), null, signal)
    expect((await buffer(opened.stream())).equals(bytes)).toBe(true)
    expect(good.counts.get(fault)).toBe(1)
    const keys = await Array.fromAsync(bucketOn(s3, basename(folder.path)).list(''))
    expect(keys.map(({ key }) => key.split('/')[0])).toEqual(['links', 'objects'])
  })
})
