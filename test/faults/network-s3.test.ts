import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { describe, expect } from 'vitest'
import { needsS3, s3Variables, startS3, type S3 } from '../support/s3.ts'
import { openStoreOn } from '../support/s3-store.ts'
import { within } from '../support/deadline.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { collectAll } from '../support/model-upkeep.ts'
import { Random } from '../support/random.ts'
import { startService, type Service } from '../support/service.ts'
import { rawDisk } from './raw-disk.ts'
import { startBadCable } from './bad-cable.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { CutPushes } from './cut-blob.ts'
import { deleted, expectDisk, sent } from './image-life.ts'
import { PatientClient } from './patient-client.ts'
import { expectNoMore, heldBy } from './sockets.ts'
import { tryOut, type Round, type Trial } from './trial.ts'

const prefix = 'faults'
const lanes = 4
const limit = 240_000
/** Sectors of a disk at most, of 512 bytes; of every eighth, several parts of an upload. */
const largest = 4_000
const many = 40_000
/** Images that stay to the end. */
const kept = 8

describe.skipIf(!needsS3())('S3', () => {
  tryOut('network-s3', async (trial) => {
    await using s3 = await startS3()
    const random = trial.randomOf('cable')
    const options = { random, share: 70, reach: 2 * mebibyte, wear: 24 * mebibyte }
    const more = { without: ['twice'], isBounded: trial.isShort } as const
    await using cable = await startBadCable(() => s3.endpoint, { ...options, ...more })
    cable.mend(true)
    await using service = await startService(s3Variables(cable.base, s3.bucket, prefix))
    await warmUp(service)
    const before = await heldBy(service.pid)
    cable.mend(false)
    const stays = new Map<string, Buffer>()
    const rounds = trial.rounds()
    const lane = async () => {
      for (const round of rounds) {
        const work = play(trial, round, service, stays)
        await within(limit, `round ${round.index}`, work)
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    cable.mend(true)
    cable.cut()
    for (const [kind, count] of cable.counts) trial.note(kind, count)
    {
      await using client = new PatientClient(service.base, true)
      for (const [name, bytes] of stays) await expectDisk(client, name, bytes)
    }
    cable.cut()
    await expectNoMore(service.pid, before, 30_000)
    await collectAll(service)
    await expectStored(service, s3, [...stays.keys()])
  })
})

/** What is opened once, and stays open, is opened by the first of each kind. */
async function warmUp({ base }: Service): Promise<void> {
  const bytes = disk(mebibyte)
  await using client = new PatientClient(base)
  await sent(client, { name: 'first', bytes, random: new Random(1) })
  await expectDisk(client, 'first', bytes)
  await deleted(client, 'first')
}

async function play(
  trial: Trial,
  { index, random }: Round,
  service: Service,
  stays: Map<string, Buffer>,
): Promise<void> {
  const name = `image-${index}`
  const bytes = rawDisk(random, index % 8 === 3 ? many : largest)
  await using client = new PatientClient(service.base, true)
  if (random.below(3) === 0) {
    const pushes = new CutPushes(client, name, random)
    await pushes.image('latest', bytes)
    await pushes.delete('latest', bytes)
  } else {
    trial.note(await sent(client, { name, bytes, random }))
    await expectDisk(client, name, bytes)
    if (index < kept) stays.set(name, bytes)
    else await deleted(client, name)
  }
  trial.tried += 1
}

/** The bucket, as it is without a cable, against the catalog: nothing is missing, and nothing too much. */
async function expectStored({ folder }: Service, s3: S3, names: readonly string[]): Promise<void> {
  await using scratch = await temporaryFolder()
  const beside = join(scratch.path, prefix)
  await mkdir(beside)
  await using store = await openStoreOn(s3, beside)
  const catalog = new Sqlite(join(folder, 'catalog.sqlite'), { readonly: true })
  const column = (query: string) => catalog.prepare(query).pluck().all()
  const blobs = (await Array.fromAsync(store.list())).map(({ digest }) => digest)
  const strays = await Array.fromAsync(store.strays(Date.now() + 1000))
  const records = await Array.fromAsync(store.records.list(''))
  const found = {
    images: column('select name from images order by name'),
    rows: column('select digest from blobs order by 1'),
    jobs: column('select image_uid from jobs'),
    blobs: blobs.toSorted(),
    staged: await store.staged(),
    // An upload whose beginning was not heard of is empty, and is swept when it is a day old.
    strays: strays.filter(({ size }) => size > 0).map(({ name }) => name),
    records: records.filter((key) => key !== '_store/id').toSorted(),
  }
  const needed = column('select distinct digest from blob_references order by 1')
  catalog.close()
  expect(found).toEqual({
    images: names.toSorted(),
    rows: needed,
    jobs: [],
    blobs: needed,
    staged: [],
    strays: [],
    records: names.map((name) => `cvi/${name}/_tags/latest`).toSorted(),
  })
}
