import { randomBytes } from 'node:crypto'
import { readdir, rename, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import type { S3Store } from '../../src/store/s3/store.ts'
import { needsS3, startS3, type S3 } from '../support/s3.ts'
import { bucketOn, openStoreOn, put, signOn } from '../support/s3-store.ts'
import { temporaryFolder } from '../support/temporary.ts'

const mebibyte = 1024 * 1024
const signal = new AbortController().signal
/** A part and a bit, when the length is told. */
const size = 8 * mebibyte + 1000

/** What a power cut leaves of a small object. */
const nothing = Buffer.alloc(0)

let s3: S3

beforeAll(async () => {
  if (needsS3()) s3 = await startS3()
})
afterAll(() => s3?.[Symbol.asyncDispose]())

/** What lies in the bucket below a kind of keys. */
async function keysOf(folder: string, kind: string): Promise<readonly string[]> {
  const found = await Array.fromAsync(bucketOn(s3, basename(folder)).list(`${kind}/`))
  return found.map(({ key }) => key)
}

/** Bytes that lie in the scratch folder. */
async function asideIn(folder: string): Promise<number> {
  const tails = await readdir(folder)
  const found = await Promise.all(tails.map((tail) => stat(join(folder, tail, 'data'))))
  return found.reduce((sum, { size }) => sum + size, 0)
}

function linkedOn(folder: string): Promise<S3Store> {
  return openStoreOn(s3, folder, { sign: signOn(s3, basename(folder)) })
}

describe.skipIf(!needsS3())('a store on S3', () => {
  test('lays large blobs down once, under a key of their own', async () => {
    await using folder = await temporaryFolder()
    const store = await openStoreOn(s3, folder.path)
    const bytes = randomBytes(size)
    await put(store, bytes)
    expect(await keysOf(folder.path, 'objects')).toHaveLength(1)
    expect(await keysOf(folder.path, 'links')).toEqual([
      `links/${digestOf(bytes).replace(':', '/')}`,
    ])
    expect(await keysOf(folder.path, 'blobs')).toEqual([])
    expect(await keysOf(folder.path, 'staging')).toEqual([])
    expect(await store.remove(digestOf(bytes))).toBe(true)
    expect(await keysOf(folder.path, 'objects')).toEqual([])
  })

  test('keeps one piece although the start is looked at while the parts go out', async () => {
    await using folder = await temporaryFolder()
    const store = await linkedOn(folder.path)
    const bytes = randomBytes(3 * size)
    await using staging = await store.stage({ size: bytes.length })
    await staging.append([bytes.subarray(0, 2 * size)], signal)
    expect(await staging.read(1000, 5000, signal)).toEqual(bytes.subarray(1000, 6000))
    await staging.append([bytes.subarray(2 * size)], signal)
    await staging.seal(signal)
    expect(await staging.read(size - 5, 5000, signal)).toEqual(
      bytes.subarray(size - 5, size + 4995),
    )
    await staging.publish(digestOf(bytes))
    expect(await keysOf(folder.path, 'objects')).toHaveLength(1)
    const url = await store.link({ digest: digestOf(bytes), size: bytes.length }, 60_000, signal)
    const answer = await fetch(url ?? '', { headers: { range: 'bytes=7-9' } })
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytes.subarray(7, 10))
  })

  test.each([
    [1000, 'blobs'],
    [size, 'objects'],
  ])('sends nobody to %i bytes that were cut short', async (length, kind) => {
    await using folder = await temporaryFolder()
    const store = await linkedOn(folder.path)
    const bytes = randomBytes(length)
    await put(store, bytes)
    const blob = { digest: digestOf(bytes), size: length }
    expect(await store.link(blob, 60_000, signal)).not.toBeNull()
    const [key = ''] = await keysOf(folder.path, kind)
    await bucketOn(s3, basename(folder.path)).put(key, bytes.subarray(1))
    expect(await store.link(blob, 60_000, signal)).toBeNull()
  })

  test.each([1000, size])(
    'lets readers end who had opened %i bytes before they were removed',
    async (length) => {
      await using folder = await temporaryFolder()
      const store = await openStoreOn(s3, folder.path)
      const bytes = randomBytes(length)
      await put(store, bytes)
      const opened = await store.open(digestOf(bytes), null, signal)
      expect(await store.remove(digestOf(bytes))).toBe(true)
      expect(await store.stat(digestOf(bytes))).toBeNull()
      await expect(store.open(digestOf(bytes), null, signal)).rejects.toMatchObject({
        code: 'BLOB_UNKNOWN',
      })
      expect((await buffer(opened.stream())).equals(bytes)).toBe(true)
      await store[Symbol.asyncDispose]()
      expect([
        ...(await keysOf(folder.path, 'objects')),
        ...(await keysOf(folder.path, 'blobs')),
      ]).toEqual([])
    },
  )

  test('finds what was left behind, and nothing else', async () => {
    await using folder = await temporaryFolder()
    const store = await openStoreOn(s3, folder.path)
    const bucket = bucketOn(s3, basename(folder.path))
    await put(store, randomBytes(size))
    await put(store, randomBytes(10))
    await using kept = await store.stage({ size: 2 * size })
    await kept.append([randomBytes(size)], signal)
    await bucket.put('objects/left', randomBytes(10))
    await bucket.put('blobs/sha256/none', randomBytes(10))
    await bucket.begin('objects/forgotten')
    const ever = Date.now() + 60_000
    const found = await Array.fromAsync(store.strays(ever))
    expect(found.map(({ name }) => name.split('/').slice(-2).join('/')).toSorted()).toEqual([
      'objects/forgotten',
      'objects/left',
      'sha256/none',
    ])
    expect(await Array.fromAsync(store.strays(Date.now() - 3_600_000))).toEqual([])
    for (const { remove } of found) await remove()
    expect(await Array.fromAsync(store.strays(ever))).toEqual([])
    await expect(store.staged()).resolves.toEqual([kept.id])
  })

  test('repairs what a damaged record named, and drops no object meanwhile', async () => {
    await using folder = await temporaryFolder()
    const [bytes, other] = [randomBytes(size), randomBytes(size)]
    const digest = digestOf(bytes)
    const before = await openStoreOn(s3, folder.path)
    for (const each of [bytes, other]) await put(before, each)
    await bucketOn(s3, basename(folder.path)).put(`links/${digest.replace(':', '/')}`, nothing)
    const store = await openStoreOn(s3, folder.path)
    expect(await store.stat(digest)).toEqual({ digest, size: 0 })
    await expect(store.open(digest, null, signal)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    })
    expect((await Array.fromAsync(store.list())).map(({ digest }) => digest).toSorted()).toEqual(
      [digest, digestOf(other)].toSorted(),
    )
    const ever = Date.now() + 60_000
    expect(await Array.fromAsync(store.strays(ever))).toEqual([])
    await put(store, bytes)
    expect(await store.stat(digest)).toEqual({ digest, size })
    expect(await Array.fromAsync(store.strays(ever))).toHaveLength(1)
    expect(await store.remove(digest)).toBe(true)
  })

  test('begins anew what a damaged note was of, and drops no object meanwhile', async () => {
    await using folder = await temporaryFolder()
    const bucket = bucketOn(s3, basename(folder.path))
    const begun = await (await openStoreOn(s3, folder.path)).stage({ id: 'begun', size: 2 * size })
    await begun.append([randomBytes(size)], signal)
    await begun.leave()
    await bucket.put('objects/left', randomBytes(10))
    await bucket.put('staging/begun', nothing)
    const store = await openStoreOn(s3, folder.path)
    const ever = Date.now() + 60_000
    expect(await Array.fromAsync(store.strays(ever))).toEqual([])
    await using again = await store.resume('begun')
    expect(again?.size).toBe(0)
    await again?.discard()
    await store.discard('begun')
    expect(await store.staged()).toEqual([])
    expect(await Array.fromAsync(store.strays(ever))).toHaveLength(2)
  })

  test('finds a forgotten upload under the key of an object that is in use', async () => {
    await using folder = await temporaryFolder()
    const store = await openStoreOn(s3, folder.path)
    await put(store, randomBytes(size))
    const [key = ''] = await keysOf(folder.path, 'objects')
    await bucketOn(s3, basename(folder.path)).begin(key)
    const ever = Date.now() + 60_000
    const found = await Array.fromAsync(store.strays(ever))
    expect(found).toHaveLength(1)
    for (const { remove } of found) await remove()
    expect(await Array.fromAsync(store.strays(ever))).toEqual([])
    expect(await keysOf(folder.path, 'objects')).toEqual([key])
  })

  test('keeps little aside once there is memory again', async () => {
    await using folder = await temporaryFolder()
    const store = await openStoreOn(s3, folder.path, { buffer: 16 * mebibyte })
    const bytes = randomBytes(15 * size)
    const first = await store.stage({ size })
    await first.append([bytes.subarray(0, size - 2000)], signal)
    await using staging = await store.stage({ size: bytes.length })
    await staging.append([bytes.subarray(0, 4 * size)], signal)
    expect(await asideIn(folder.path)).toBe(4 * size)
    await first.discard()
    for (let at = 4 * size; at < bytes.length; at += mebibyte) {
      await staging.append([bytes.subarray(at, at + mebibyte)], signal)
    }
    await staging.flush()
    expect(await asideIn(folder.path)).toBeLessThan(size)
    await staging.publish(digestOf(bytes))
    expect(await keysOf(folder.path, 'objects')).toHaveLength(1)
    const opened = await store.open(digestOf(bytes), null, signal)
    expect((await buffer(opened.stream())).equals(bytes)).toBe(true)
  })

  test('has its memory back when the bucket was away', async () => {
    await using folder = await temporaryFolder()
    await s3.createBucket('fickle')
    const place = join(s3.folder, '..', 'fickle')
    const fickle = { endpoint: s3.endpoint, bucket: 'fickle' }
    const store = await openStoreOn(fickle, folder.path, { buffer: 16 * mebibyte })
    const bytes = randomBytes(2 * size)
    const publish = async () => {
      await using staging = await store.stage({ amended: true })
      await staging.append([bytes], signal)
      return await staging.publish(digestOf(bytes))
    }
    await rename(place, `${place}-away`)
    for (let tries = 0; tries < 3; tries += 1) {
      await expect(publish()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    }
    await rename(`${place}-away`, place)
    await expect(publish()).resolves.toEqual({
      digest: digestOf(bytes),
      size: 2 * size,
    })
  })

  test('says which bucket is not there', async () => {
    await using folder = await temporaryFolder()
    const nowhere = { endpoint: s3.endpoint, bucket: 'nowhere' }
    await expect(openStoreOn(nowhere, folder.path)).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringContaining('there is no bucket "nowhere"'),
    })
  })
})
