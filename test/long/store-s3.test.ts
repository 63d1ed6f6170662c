import { randomBytes } from 'node:crypto'
import { readdir, truncate, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import type { S3Store } from '../../src/store/s3/store.ts'
import type { Store } from '../../src/store/store.ts'
import { needsS3, startS3, type S3 } from '../support/s3.ts'
import { bucketOn, openStoreOn, put, s3Kind, signOn } from '../support/s3-store.ts'
import { describeStore, whole } from '../support/store-suite.ts'
import { temporaryFolder } from '../support/temporary.ts'

const mebibyte = 1024 * 1024
const signal = new AbortController().signal
/** A part and a bit, when the length is told. */
const size = 8 * mebibyte + 1000

let s3: S3

beforeAll(async () => {
  if (needsS3()) s3 = await startS3()
})
afterAll(() => s3?.[Symbol.asyncDispose]())

async function read(store: Store, bytes: Buffer): Promise<Buffer> {
  return await buffer((await store.open(digestOf(bytes), null, signal)).stream())
}

/** Told at once, where comparing them one by one takes seconds. */
async function expectThere(store: Store, bytes: Buffer): Promise<void> {
  expect((await read(store, bytes)).equals(bytes)).toBe(true)
}

/** What lies in the bucket below a kind of keys. */
async function keysOf(folder: string, kind: string): Promise<readonly string[]> {
  const found = await Array.fromAsync(bucketOn(s3, basename(folder)).list(`${kind}/`))
  return found.map(({ key }) => key)
}

function linkedOn(folder: string): Promise<S3Store> {
  return openStoreOn(s3, folder, { sign: signOn(s3, basename(folder)) })
}

describe.skipIf(!needsS3())('on a real S3 server, whole', () => {
  describeStore({ ...s3Kind(() => s3), scale: whole })
})

describe.skipIf(!needsS3())('a store on S3', () => {
  test('makes a further piece where bytes in the middle are looked at too early', async () => {
    await using folder = await temporaryFolder()
    const store = await linkedOn(folder.path)
    const bytes = randomBytes(3 * size)
    await using staging = await store.stage({ size: bytes.length })
    await staging.append([bytes.subarray(0, 2 * size)], signal)
    const there = bytes.subarray(5 * mebibyte, 5 * mebibyte + 10)
    expect(await staging.read(5 * mebibyte, 10, signal)).toEqual(there)
    await staging.append([bytes.subarray(2 * size)], signal)
    await staging.amend(Buffer.alloc(600, 1))
    const changed = Buffer.concat([Buffer.alloc(600, 1), bytes.subarray(600)])
    await staging.publish(digestOf(changed))
    await expectThere(store, changed)
    expect(await keysOf(folder.path, 'objects')).toHaveLength(3)
    expect(
      await store.link({ digest: digestOf(changed), size: changed.length }, 60_000, signal),
    ).toBeNull()
    await store.remove(digestOf(changed))
    expect(await keysOf(folder.path, 'objects')).toEqual([])
  })

  test('goes on with the parts that have arrived when the scratch folder is lost', async () => {
    await using folder = await temporaryFolder()
    const bytes = randomBytes(2 * size)
    const store = await openStoreOn(s3, folder.path)
    const staging = await store.stage({ id: 'lost', size: bytes.length })
    await staging.append([bytes.subarray(0, size + 5 * mebibyte)], signal)
    await staging.flush()
    expect(staging.offset).toBe(size + 5 * mebibyte)
    await staging.leave()
    for (const name of await readdir(folder.path)) {
      await rm(join(folder.path, name), { recursive: true })
    }
    const later = await openStoreOn(s3, folder.path)
    expect(await later.staged()).toEqual(['lost'])
    await using again = await later.resume('lost')
    expect(again?.size).toBe(8 * mebibyte)
    await again?.append([bytes.subarray(8 * mebibyte)], signal)
    await again?.publish(digestOf(bytes))
    await expectThere(later, bytes)
    expect(await later.staged()).toEqual([])
  })

  test.each([3 * mebibyte, 8 * mebibyte, 9 * mebibyte + 1, 17 * mebibyte])(
    'cuts what was staged down to %i bytes',
    async (upTo) => {
      await using folder = await temporaryFolder()
      const bytes = randomBytes(18 * mebibyte)
      const store = await openStoreOn(s3, folder.path)
      const staging = await store.stage({ id: 'cut', size: bytes.length })
      await staging.append([bytes], signal)
      await staging.flush()
      await staging.leave()
      await using again = await store.resume('cut', { upTo })
      expect(again?.size).toBe(upTo)
      const rest = randomBytes(1000)
      await again?.append([rest], signal)
      const changed = Buffer.concat([bytes.subarray(0, upTo), rest])
      await again?.publish(digestOf(changed))
      await expectThere(store, changed)
      await store.remove(digestOf(changed))
      expect(await keysOf(folder.path, 'objects')).toEqual([])
    },
  )

  test('puts aside what comes while all memory is in the hands of slow senders', async () => {
    await using folder = await temporaryFolder()
    const store = await openStoreOn(s3, folder.path, { buffer: 32 * mebibyte })
    const bytes = randomBytes(2 * size)
    await using first = await store.stage({ size: bytes.length })
    await using second = await store.stage({ size: bytes.length })
    await using third = await store.stage({ size: bytes.length })
    for (const slow of [first, second, third])
      await slow.append([bytes.subarray(0, mebibyte)], signal)
    await put(store, bytes)
    await expectThere(store, bytes)
    const held = await Promise.all(
      [first, second, third].map(async (slow) => {
        await slow.append([bytes.subarray(mebibyte)], signal)
        return (await slow.seal(signal)).digest
      }),
    )
    expect(new Set(held)).toEqual(new Set([digestOf(bytes)]))
    for (const slow of [first, second, third]) await slow.publish(digestOf(bytes))
    await expectThere(store, bytes)
    expect(await keysOf(folder.path, 'objects')).toHaveLength(1)
    expect(await readdir(folder.path)).toEqual([])
  })

  test('takes the memory of what is flushed and waits, which goes on all the same', async () => {
    await using folder = await temporaryFolder()
    const store = await openStoreOn(s3, folder.path, { buffer: 16 * mebibyte })
    const bytes = randomBytes(2 * size)
    await using idle = await store.stage({ size: bytes.length })
    await idle.append([bytes.subarray(0, 5 * mebibyte)], signal)
    await idle.flush()
    await put(store, randomBytes(2 * size))
    expect(await idle.read(4 * mebibyte, 10, signal)).toEqual(
      bytes.subarray(4 * mebibyte, 4 * mebibyte + 10),
    )
    await idle.append([bytes.subarray(5 * mebibyte)], signal)
    await idle.publish(digestOf(bytes))
    await expectThere(store, bytes)
  })

  test('tells of a piece that was cut or lost, and is repaired by the same bytes', async () => {
    await using folder = await temporaryFolder()
    const store = await openStoreOn(s3, folder.path)
    const bytes = randomBytes(size)
    await put(store, bytes)
    const [key = ''] = await keysOf(folder.path, 'objects')
    const path = join(s3.folder, basename(folder.path), key)
    await truncate(path, 1000)
    expect(await store.stat(digestOf(bytes))).toMatchObject({ size: 1000 })
    await expect(read(store, bytes)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await rm(path)
    expect(await store.stat(digestOf(bytes))).toBeNull()
    await expect(read(store, bytes)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await put(store, bytes)
    await expectThere(store, bytes)
    expect(await keysOf(folder.path, 'objects')).toHaveLength(1)
  })

  test('keeps a blob whose staging a crash left behind the record', async () => {
    await using folder = await temporaryFolder()
    const store = await openStoreOn(s3, folder.path)
    const bucket = bucketOn(s3, basename(folder.path))
    const bytes = randomBytes(size)
    await put(store, bytes)
    const [key = ''] = await keysOf(folder.path, 'objects')
    const state = {
      partSize: 8 * mebibyte,
      pieces: [{ key, start: 0, size }],
      open: null,
      publishing: digestOf(bytes),
    }
    for (const drop of [
      () => store.discard('crashed'),
      async () => expect(await store.resume('crashed')).toBeNull(),
    ]) {
      await bucket.put('staging/crashed', Buffer.from(JSON.stringify(state)))
      await drop()
      expect(await store.staged()).toEqual([])
      await expectThere(store, bytes)
    }
  })
})
