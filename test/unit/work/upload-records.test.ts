import { pino } from 'pino'
import { expect, test } from 'vitest'
import { imageTag } from '../../../src/image/name.ts'
import { FilesystemStore } from '../../../src/store/filesystem.ts'
import { Active } from '../../../src/work/active.ts'
import { Collector } from '../../../src/work/collect.ts'
import { Deadlines } from '../../../src/work/deadlines.ts'
import { tagKey } from '../../../src/work/tag-record.ts'
import { UploadRecords } from '../../../src/work/upload-records.ts'
import { cancelled } from '../../../src/work/upload-words.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

test('an upload that is given up too late keeps the record of its tag', async () => {
  await using folder = await temporaryFolder()
  await using opened = await openCatalog()
  const { catalog, clock } = opened
  const store = await FilesystemStore.open(folder.path)
  const log = pino({ level: 'silent' })
  const collector = new Collector(catalog, store, log)
  const shared = { catalog, store, collector, now: clock.now, idle: 60_000, log }
  const deadlines = new Deadlines({ ...shared, active: new Active(clock.now), ttl: 60_000 })
  const records = new UploadRecords({ ...shared, deadlines })
  const door = { tokenHash: 'hash', imageUid: 'uid-a', attempt: 1, expiresAt: null } as const
  const image = await catalog.transaction(async ({ images, uploads }) => {
    await uploads.add({ ...door, state: 'finished' })
    return await images.add(newImage('a', { dataSource: { type: 'Upload' }, phase: 'Ready' }))
  })
  const key = tagKey('a', imageTag)
  await store.records.put(key, Buffer.from('{}'))
  const known = { length: null, offset: 0, checksums: {} }
  await records.giveUp(image, { ...door, ...known, state: 'receiving' }, cancelled())
  expect(await store.records.read(key)).toEqual(Buffer.from('{}'))
  expect(await catalog.read.images.byName('a')).toMatchObject({ phase: 'Ready' })
})
