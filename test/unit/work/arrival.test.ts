import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { Outage } from '../../../src/errors.ts'
import { FilesystemStore } from '../../../src/store/filesystem.ts'
import { Stopped } from '../../../src/work/active.ts'
import { Arrival, stagedOf } from '../../../src/work/arrival.ts'
import { ingest, type Ingested, type Station } from '../../../src/work/ingest.ts'
import { untold } from '../../../src/work/journeys.ts'
import { Room } from '../../../src/work/room.ts'
import { openCatalog } from '../../support/catalog.ts'
import { disk, mebibyte } from '../../support/disks.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const bytes = disk(2 * mebibyte + 512)
const limits = { maxImageSize: 100 * mebibyte, maxVirtualSize: 100 * mebibyte, storageLimit: null }
const never = new AbortController().signal

async function place() {
  await using undo = new AsyncDisposableStack()
  const folder = undo.use(await temporaryFolder())
  const { catalog } = undo.use(await openCatalog())
  const store = await FilesystemStore.open(folder.path)
  const station: Station = { store, room: new Room(catalog, store, limits), limits }
  const held = undo.move()
  return { store, station, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

async function bring<Kept>(
  from: number,
  size: number | null,
  station: Station,
  keep: (ingested: Ingested) => Promise<Kept>,
) {
  const body = Readable.from(from < bytes.length ? [bytes.subarray(from)] : [])
  const incoming = { body, size, checksums: {}, onBytes: () => {}, journey: untold }
  const arrival = await Arrival.open('uid', station.store, from)
  return await ingest(incoming, arrival, station, keep, never)
}

describe('an arrival that is stopped when all bytes are here', () => {
  test.each([null, bytes.length])(
    'has as many as the source, of which %s were told',
    async (size) => {
      await using at = await place()
      const stop = () => Promise.reject(new Stopped('shutdown'))
      await expect(bring(0, size, at.station, stop)).rejects.toThrow('shutdown')
      expect(await stagedOf('uid', at.store, null)).toBe(bytes.length)
      const layer = await bring(bytes.length, size, at.station, async ({ staging, layer }) => {
        await staging.publish(layer.digest)
        return layer
      })
      await using other = await place()
      const straight = await bring(0, size, other.station, ({ layer: whole }) =>
        Promise.resolve(whole),
      )
      expect(layer).toEqual(straight)
    },
  )

  test('keeps them when the disk is full', async () => {
    await using at = await place()
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    await expect(bring(0, bytes.length, at.station, () => Promise.reject(full))).rejects.toBe(full)
    expect(await stagedOf('uid', at.store, null)).toBe(bytes.length)
  })

  test('tells what went wrong once the layer has been published', async () => {
    await using at = await place()
    const full = new Outage('STORAGE_FULL', 'the storage is full')
    const failing = async ({ staging, layer }: Ingested) => {
      await staging.publish(layer.digest)
      throw full
    }
    await expect(bring(0, bytes.length, at.station, failing)).rejects.toBe(full)
  })
})
