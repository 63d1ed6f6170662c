import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect } from 'vitest'
import { z } from 'zod'
import { disk, mebibyte } from '../support/disks.ts'
import { within } from '../support/deadline.ts'
import { expectOnly } from '../support/leftovers.ts'
import { collectAll } from '../support/model-upkeep.ts'
import { Random } from '../support/random.ts'
import { startService, type Service } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { asking } from '../support/transfers.ts'
import { program } from '../support/program.ts'
import { startBadCable, type BadCable, type CableOptions } from './bad-cable.ts'
import { CutPushes } from './cut-blob.ts'
import { Follower } from './follower.ts'
import { deleted, expectDisk, sent } from './image-life.ts'
import { PatientClient } from './patient-client.ts'
import { rawDisk } from './raw-disk.ts'
import { expectNoMore, heldBy } from './sockets.ts'
import { tryOut, type Round, type Trial } from './trial.ts'

/** Clients at the same time: one that is stalled holds nobody else up. */
const lanes = 10
/** Sectors of a disk at most, of 512 bytes. */
const largest = 3_000
const limit = 180_000
/** Images that stay to the end, whatever happens to others. */
const kept = 20
/** Of so many images one goes by a program. */
const programs = 25
/** Of a program that says that the service does not answer. */
const mostAttempts = 10

tryOut('network-client', async (trial) => {
  await using service = await startService()
  await using folder = await temporaryFolder()
  await warmUp(service)
  const before = await heldBy(service.pid)
  const stays: string[] = []
  {
    const random = trial.randomOf('streams')
    await using cable = await startBadCable(() => service.base, {
      random,
      share: 90,
      reach: 90_000,
    })
    await using follower = new Follower(`${cable.base}/api/v1/events`)
    const rounds = trial.rounds()
    const lane = async () => {
      for (const round of rounds) {
        const name = await within(
          limit,
          `round ${round.index}`,
          play(trial, round, service, folder.path),
        )
        if (name) stays.push(name)
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    const ready = () =>
      [...follower.images].map(([name, { phase }]) => `${name} ${phase}`).toSorted()
    await expect
      .poll(ready, { timeout: 60_000 })
      .toEqual(stays.map((name) => `${name} Ready`).toSorted())
    await follower.stop()
    trial.note('streams', follower.streams)
  }
  await expectNoMore(service.pid, before, 30_000)
  await collectAll(service)
  await expectOnly(service.folder, stays.toSorted())
})

/** What is opened once, and stays open, is opened by the first of each kind. */
async function warmUp({ base }: Service): Promise<void> {
  const [random, bytes] = [new Random(1), disk(mebibyte)]
  await using client = new PatientClient(base)
  await sent(client, { name: 'first', bytes, random })
  await expectDisk(client, 'first', bytes)
  await deleted(client, 'first')
  const pushes = new CutPushes(client, 'first', random)
  await pushes.image('latest', bytes)
  await pushes.delete('latest', bytes)
}

/** @returns the name of an image that stays */
async function play(
  trial: Trial,
  round: Round,
  service: Service,
  folder: string,
): Promise<string | null> {
  const { index, random } = round
  const name = `image-${index}`
  const bytes = rawDisk(random, largest)
  const isPush = random.below(3) === 0
  const isProgram = !isPush && index % programs === 0
  const options = { random, isBounded: isProgram }
  await overCable(trial, service, options, async (client, cable) => {
    if (isPush) await new CutPushes(client, name, random).image('latest', bytes)
    else if (isProgram) await byProgram(cable, folder, name, bytes)
    else trial.note(await sent(client, { name, bytes, random }))
    if (!isPush) await expectDisk(client, name, bytes)
  })
  trial.tried += 1
  if (!isPush && index < kept) return name
  await overCable(trial, service, { random }, async (client) => {
    if (isPush) await new CutPushes(client, name, random).delete('latest', bytes)
    else await deleted(client, name)
  })
  if (isPush) await giveUpSessions(service, name)
  return null
}

/** Whatever is said twice has been said before the cable goes. */
async function overCable(
  trial: Trial,
  service: Service,
  of: Pick<CableOptions, 'random' | 'isBounded'>,
  work: (client: PatientClient, cable: BadCable) => Promise<void>,
): Promise<void> {
  const options = { ...of, share: 60, reach: 600_000 }
  await using cable = await startBadCable(() => service.base, options)
  {
    await using client = new PatientClient(cable.base)
    await work(client, cable)
  }
  await cable.quiet()
  for (const [kind, count] of cable.counts) trial.note(kind, count)
}

/** `slipway images upload` and `download`: what breaks at once is told, and the same command goes on. */
async function byProgram(cable: BadCable, folder: string, name: string, bytes: Buffer) {
  const [from, into] = [join(folder, `${name}.img`), join(folder, `${name}.copy`)]
  await writeFile(from, bytes)
  await images(cable, ['upload', from, name])
  await images(cable, ['download', name, into])
  if (!(await readFile(into)).equals(bytes)) throw new Error(`${into} has other bytes`)
  await Promise.all([from, into].map((path) => rm(path)))
}

async function images(cable: BadCable, args: readonly string[]): Promise<void> {
  const env = asking(cable.base)
  let said = ''
  for (let attempts = 0; attempts < mostAttempts; attempts += 1) {
    const ended = await attempt(process.execPath, [program, 'images', ...args], { env, limit })
    if (ended.code === 0) return
    said = ended.stderr
    if (!said.includes('does not answer')) break
  }
  throw new Error(`slipway images ${args.join(' ')}: ${said}`)
}

/** Sessions whose answer was lost, and those that were begun twice: nobody knows them but the catalog. */
async function giveUpSessions({ folder, base }: Service, repository: string): Promise<void> {
  const catalog = new Sqlite(join(folder, 'catalog.sqlite'), { readonly: true })
  const query = catalog.prepare('select id from push_sessions where repository = ?').pluck()
  const ids = z.array(z.string()).parse(query.all(repository))
  catalog.close()
  await using client = new PatientClient(base)
  for (const id of ids) {
    const answer = await client.answered('DELETE', `/v2/${repository}/blobs/uploads/${id}`)
    expect([204, 404]).toContain(answer.status)
  }
}
