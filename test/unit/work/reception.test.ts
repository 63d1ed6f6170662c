import { pino } from 'pino'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { headSize } from '../../../src/pack/tar-frame.ts'
import { FilesystemStore } from '../../../src/store/filesystem.ts'
import { Active, Stopped } from '../../../src/work/active.ts'
import { Arrival } from '../../../src/work/arrival.ts'
import { Assemblies } from '../../../src/work/assemblies.ts'
import { Collector } from '../../../src/work/collect.ts'
import { Deadlines } from '../../../src/work/deadlines.ts'
import { Journeys } from '../../../src/work/journeys.ts'
import { Progress } from '../../../src/work/progress.ts'
import { Room } from '../../../src/work/room.ts'
import { tokenHash } from '../../../src/work/server-key.ts'
import { UploadDoor } from '../../../src/work/upload-door.ts'
import { UploadRecords } from '../../../src/work/upload-records.ts'
import { Reception } from '../../../src/work/upload.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const limits = { maxImageSize: 1 << 20, maxVirtualSize: 1 << 20, storageLimit: null }
const idle = 60_000

/** Uploads with a clock that jumps each time that somebody looks at it from within a request. */
async function receptionWith(clockOf: (time: number) => () => number) {
  await using undo = new AsyncDisposableStack()
  const folder = undo.use(await temporaryFolder())
  const { catalog, clock } = undo.use(await openCatalog())
  const store = await FilesystemStore.open(folder.path)
  const log = pino({ level: 'silent' })
  const now = clock.now
  const [active, writers] = [new Active(now), new Active(now)]
  const transfers = {
    stop: async (uid: string, why: Stopped['why']) => {
      await writers.stop(uid, why)
      await active.stop(uid, why)
    },
  }
  const room = new Room(catalog, store, limits)
  const station = { store, room, limits }
  const collector = new Collector(catalog, store, log)
  const shared = { catalog, store, station, collector, room, idle, now, log, active, writers }
  const deadlines = new Deadlines({ ...shared, active: transfers, ttl: idle, now: () => Infinity })
  const records = new UploadRecords({ ...shared, deadlines })
  const progress = new Progress(now)
  const assemblies = new Assemblies({
    ...shared,
    progress,
    records,
    journeys: new Journeys(shared),
    onReady: () => {},
  })
  const door = new UploadDoor({ ...shared, assemblies, deadlines, now: clockOf(clock.time) })
  const reception = new Reception({ ...shared, assemblies, records, door })
  await catalog.transaction(async ({ images, uploads }) => {
    await images.add(newImage('a', { dataSource: { type: 'Upload' }, phase: 'WaitForUserUpload' }))
    const upload = { imageUid: 'uid-a', attempt: 1, expiresAt: clock.time + 1 }
    await uploads.add({ ...upload, tokenHash: tokenHash('token'), state: 'waiting' })
  })
  undo.defer(() => deadlines.stop())
  const held = undo.move()
  return { catalog, store, reception, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

test('an upload whose time ends while it is let in is told so', async () => {
  // In time at the first look, late at the second.
  await using opened = await receptionWith((time) => {
    let looks = 0
    return () => time + looks++
  })
  const { catalog, reception } = opened
  const nothing = { checksums: {}, ofPart: {}, isExact: false, isLast: true }
  const announced = { ...nothing, length: 3, start: null, total: 3 }
  const body = Readable.from([Buffer.from('abc')])
  const sent = reception.receive('token', announced, body, 'somebody')
  await expect(sent).rejects.toMatchObject({ code: 'UPLOAD_GONE' })
  await expect.poll(async () => (await catalog.read.images.byName('a'))?.phase).toBe('Failed')
})

test('an upload whose end could not be recorded goes on from what is staged', async () => {
  await using opened = await receptionWith((time) => () => time)
  const { catalog, reception, store } = opened
  const arrival = await Arrival.open('uid-a', store)
  const layer = await arrival.layer(null)
  await layer.append([Buffer.alloc(headSize + 1000)], new AbortController().signal)
  await arrival.fail(new Stopped('shutdown'))
  await catalog.transaction(async ({ uploads, images }) => {
    await uploads.change(tokenHash('token'), 'receiving', null)
    const ready = { reason: 'Provisioning', message: '' } as const
    await images.change('uid-a', { phase: 'Provisioning', ready })
  })
  await reception.reclaim()
  const upload = await catalog.read.uploads.byTokenHash(tokenHash('token'))
  expect(upload).toMatchObject({ state: 'interrupted', offset: 1000 })
})
