import { describe, expect, test } from 'vitest'
import type { Store } from '../../../src/store/store.ts'
import { Room } from '../../../src/work/room.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'

const mebibyte = 1024 * 1024

async function rooms(limits: { free?: number; storageLimit?: number }) {
  const { catalog, [Symbol.asyncDispose]: close } = await openCatalog()
  const store: Pick<Store, 'free'> = { free: () => Promise.resolve(limits.free ?? null) }
  const room = new Room(catalog, store, {
    maxImageSize: 100 * mebibyte,
    storageLimit: limits.storageLimit ?? null,
  })
  return { room, [Symbol.asyncDispose]: close }
}

const full = { code: 'STORAGE_FULL' }

describe('room', () => {
  test('is promised once, however many ask at the same time', async () => {
    await using on = await rooms({ storageLimit: 50 * mebibyte })
    const asked = await Promise.allSettled([1, 2, 3].map(() => on.room.claim(20 * mebibyte)))
    expect(asked.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(asked[2]).toMatchObject({ reason: full })
  })

  test('is free again when a transfer ends', async () => {
    await using on = await rooms({ storageLimit: 50 * mebibyte })
    {
      using claim = await on.room.claim(40 * mebibyte)
      expect(claim.received).toBe(0)
      await expect(on.room.claim(40 * mebibyte)).rejects.toMatchObject(full)
    }
    using claim = await on.room.claim(40 * mebibyte)
    expect(claim.received).toBe(0)
  })

  test('counts of the disk only what is still to be written', async () => {
    await using on = await rooms({ free: 164 * mebibyte })
    using claim = await on.room.claim(60 * mebibyte)
    await expect(on.room.check(50 * mebibyte)).rejects.toMatchObject(full)
    claim.received = 30 * mebibyte
    await on.room.check(50 * mebibyte)
  })

  test('ends for bytes that nobody announced', async () => {
    await using on = await rooms({ storageLimit: 50 * mebibyte })
    using claim = await on.room.claim(null)
    claim.received = 40 * mebibyte
    await on.room.check(0, { own: claim })
    await expect(on.room.claim(20 * mebibyte)).rejects.toMatchObject(full)
    claim.received = 51 * mebibyte
    await expect(on.room.check(0, { own: claim })).rejects.toMatchObject(full)
  })

  test('is what the scratch folder has, for bytes of unknown length', async () => {
    await using opened = await openCatalog()
    const scratch = { folder: '/scratch', free: 180 * mebibyte }
    const store = { free: () => Promise.resolve(null), aside: () => Promise.resolve(scratch) }
    const room = new Room(opened.catalog, store, {
      maxImageSize: 100 * mebibyte,
      storageLimit: null,
    })
    using first = await room.claim(null)
    using second = await room.claim(null)
    await expect(room.claim(null)).rejects.toThrow(
      'put aside in /scratch, which has only 0B left; free space there, or set SLIPWAY_SCRATCH_DIR',
    )
    using known = await room.claim(90 * mebibyte)
    second[Symbol.dispose]()
    await room.check(0)
    scratch.free = 63 * mebibyte
    await expect(room.check(0, { own: first })).rejects.toMatchObject(full)
    expect(known.received).toBe(0)
  })

  test('has none for a file larger than any may be', async () => {
    await using on = await rooms({})
    await expect(on.room.claim(101 * mebibyte)).rejects.toMatchObject({ code: 'TOO_LARGE' })
  })
})

describe('what is staged between transfers', () => {
  async function withStaged() {
    const opened = await openCatalog()
    await opened.catalog.transaction(async ({ images, jobs, uploads }) => {
      for (const name of ['import', 'upload']) await images.add(newImage(name))
      await jobs.add('uid-import')
      await jobs.measure('uid-import', 20 * mebibyte)
      const door = { tokenHash: 'hash', imageUid: 'uid-upload', attempt: 1, expiresAt: null }
      await uploads.add({ ...door, state: 'interrupted' })
      await uploads.measure('hash', { offset: 10 * mebibyte })
    })
    const store = { free: () => Promise.resolve(null) }
    const limits = { maxImageSize: 100 * mebibyte, storageLimit: 50 * mebibyte }
    const room = new Room(opened.catalog, store, limits)
    return { ...opened, room, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() }
  }

  test('counts as taken', async () => {
    await using on = await withStaged()
    await on.room.check(20 * mebibyte)
    await expect(on.room.check(20 * mebibyte + 1)).rejects.toMatchObject(full)
  })

  test('counts once for the transfer that goes on from it, while it does', async () => {
    await using on = await withStaged()
    const goesOn = { imageUid: 'uid-import', staged: 20 * mebibyte }
    using claim = await on.room.claim(20 * mebibyte, goesOn)
    claim.received = 5 * mebibyte
    await on.room.check(0)
    await expect(on.room.check(1)).rejects.toMatchObject(full)
  })

  test('stops a transfer of unknown length that goes on from it', async () => {
    await using on = await withStaged()
    using own = await on.room.claim(null, { imageUid: 'uid-import', staged: 20 * mebibyte })
    own.received = 20 * mebibyte
    await on.room.check(0, { own })
    own.received += 1
    await expect(on.room.check(0, { own })).rejects.toMatchObject(full)
  })

  test('makes way for another file of the same image', async () => {
    await using on = await withStaged()
    await on.room.check(30 * mebibyte, { instead: 'uid-upload' })
    await expect(on.room.check(30 * mebibyte + 1, { instead: 'uid-upload' })).rejects.toMatchObject(
      full,
    )
  })

  test('counts no more when the import or the upload has ended', async () => {
    await using on = await withStaged()
    await on.catalog.transaction(async ({ jobs, uploads }) => {
      await jobs.remove('uid-import')
      await uploads.change('hash', 'finished', null)
    })
    await on.room.check(50 * mebibyte)
  })
})
