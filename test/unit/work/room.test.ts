import { describe, expect, test } from 'vitest'
import type { Store } from '../../../src/store/store.ts'
import { Room } from '../../../src/work/room.ts'
import { openCatalog } from '../../support/catalog.ts'

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
    await on.room.check(0, claim)
    await expect(on.room.claim(20 * mebibyte)).rejects.toMatchObject(full)
    claim.received = 51 * mebibyte
    await expect(on.room.check(0, claim)).rejects.toMatchObject(full)
  })

  test('has none for a file larger than any may be', async () => {
    await using on = await rooms({})
    await expect(on.room.claim(101 * mebibyte)).rejects.toMatchObject({ code: 'TOO_LARGE' })
  })
})
