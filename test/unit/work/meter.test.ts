import { expect, test } from 'vitest'
import { untold } from '../../../src/work/journeys.ts'
import { Meter } from '../../../src/work/meter.ts'
import { Room } from '../../../src/work/room.ts'
import { openCatalog } from '../../support/catalog.ts'

const mebibyte = 1024 * 1024

async function taken(sent: number, size: number | null): Promise<number> {
  await using opened = await openCatalog()
  const store = { free: () => Promise.resolve(null) }
  const limits = { maxImageSize: 100 * mebibyte, storageLimit: 10 * mebibyte }
  const room = new Room(opened.catalog, store, limits)
  using claim = await room.claim(size)
  const meter = new Meter({ size, before: 0, onBytes: () => {}, journey: untold }, room, claim)
  async function* body() {
    for (let left = sent; left > 0; left -= mebibyte) yield new Uint8Array(mebibyte)
  }
  for await (const chunk of meter.of(body())) expect(chunk.length).toBe(mebibyte)
  return meter.received
}

test('bytes that nobody announced are held against the limit at their end', async () => {
  expect(await taken(10 * mebibyte, null)).toBe(10 * mebibyte)
  await expect(taken(11 * mebibyte, null)).rejects.toMatchObject({ code: 'STORAGE_FULL' })
})

test('those that were announced were asked for before', async () => {
  expect(await taken(10 * mebibyte, 10 * mebibyte)).toBe(10 * mebibyte)
  await expect(taken(0, 11 * mebibyte)).rejects.toMatchObject({ code: 'STORAGE_FULL' })
})
