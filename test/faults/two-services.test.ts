import { cp, rm, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { freePort } from '../bench/peers/server.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { Running, slipway } from '../support/program.ts'
import type { Random } from '../support/random.ts'
import { get, send } from '../support/rest.ts'
import { needsS3, startS3 } from '../support/s3.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { tryOut } from './trial.ts'

const bytes = disk(mebibyte)
const inUse = /another Slipway is running on .+; stop it first, or set SLIPWAY_DATA_DIR/
const beside = /a Slipway is running on .+ set SLIPWAY_URL/
const decided = /slipway is ready|another Slipway is running|does not belong to the images/
/** From the command to the lock, in milliseconds: others that start within that time meet there. */
const untilLocked = 900
/** The same, for three of them on a machine that has other work. */
const startsWithin = 60_000

/** What is refused on a folder that a service uses, with the exit code. */
const refusals = [
  { args: () => ['serve'], code: 2, says: inUse },
  { args: () => ['rebuild'], code: 2, says: inUse },
  { args: () => ['gc'], code: 3, says: beside },
  { args: () => ['scrub'], code: 3, says: beside },
  { args: (folder: string, from: string) => copyStore(from, folder), code: 2, says: inUse },
] as const

tryOut('two-services', async (trial) => {
  await using folder = await temporaryFolder()
  await using service = await startService()
  const link = join(folder.path, 'link')
  await symlink(service.folder, link)
  expect((await send(await service.rest.createUpload('kept'), bytes)).status).toBe(201)
  const source = join(folder.path, 'source')
  for (const part of ['blobs', 'repositories']) {
    await cp(join(service.folder, part), join(source, part), { recursive: true })
  }
  const stage = { service, link, source, empty: folder.path }
  for (const { random } of trial.rounds()) {
    const act = random.pick(acts)
    trial.tried += await act(stage, random)
    if (!service.isRunning) await service.start()
    const answer = await get(service.rest.url('/kept/disk'))
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
    expect(await service.rest.names()).toEqual(['kept'])
  }
})

type Stage = {
  readonly service: Service
  /** Another path of its folder. */
  readonly link: string
  /** A copy of its store. */
  readonly source: string
  /** A folder for further ones. */
  readonly empty: string
}

/** @returns how many processes came to a folder that was another's */
type Act = (stage: Stage, random: Random) => Promise<number>

const acts: readonly [Act, ...Act[]] = [
  besideOne,
  atOnce,
  onNew,
  whileKilled,
  beforeCollection,
  ...(needsS3() ? [onBucket] : []),
]

/** All of them are refused while a service works. */
async function besideOne({ service, link, source }: Stage, random: Random): Promise<number> {
  const path = spelled(service.folder, link, random)
  const variables = await variablesOf(path)
  const { args, code, says } = random.pick(refusals)
  const ended = await slipway(args(path, source), variables)
  expect(ended.stdout + ended.stderr).toMatch(says)
  expect(ended.code).toBe(code)
  return 1
}

/** Of those that start in the same moment where one was killed, one works. */
async function atOnce({ service, link }: Stage, random: Random): Promise<number> {
  await service.kill()
  const paths = many(random, () => spelled(service.folder, link, random))
  await expectOne(await Promise.all(paths.map(variablesOf)), random)
  return paths.length - 1
}

/** The same on a folder where there is nothing yet. */
async function onNew({ empty }: Stage, random: Random): Promise<number> {
  const folder = join(empty, 'new')
  const paths = many(random, () => folder)
  await expectOne(await Promise.all(paths.map(variablesOf)), random)
  await rm(folder, { recursive: true })
  return paths.length - 1
}

/** Each has a folder of its own, and all have one bucket, where there is nothing yet. */
async function onBucket({ empty }: Stage, random: Random): Promise<number> {
  await using s3 = await startS3()
  let count = 0
  const paths = many(random, () => join(empty, `own-${(count += 1)}`))
  const variables = await Promise.all(
    paths.map(async (path) => ({ ...s3.variables('shared'), ...(await variablesOf(path)) })),
  )
  await expectOne(variables, random)
  for (const path of paths) await rm(path, { recursive: true })
  return paths.length - 1
}

/** One that comes while another is killed is refused, or takes its place. */
async function whileKilled({ service, link }: Stage, random: Random): Promise<number> {
  const path = spelled(service.folder, link, random)
  await using next = new Running(['serve'], await variablesOf(path))
  await pause(random.below(untilLocked))
  await service.kill()
  if (!(await isReady(next))) expect(await next.end()).toBe(2)
  return 1
}

/** A collection and a service want the folder: whoever comes second is refused. */
async function beforeCollection({ service, link }: Stage, random: Random): Promise<number> {
  await service.kill()
  const variables = await variablesOf(spelled(service.folder, link, random))
  const collecting = slipway(['gc'], variables)
  await pause(random.below(untilLocked))
  await using next = new Running(['serve'], await variablesOf(service.folder))
  const works = await isReady(next)
  const { code, stdout, stderr } = await collecting
  if (code !== 0) expect(stderr).toMatch(beside)
  else expect(stdout).toMatch(/"state": ?"done"/)
  if (!works) expect(await next.end()).toBe(2)
  expect(works || code === 0, 'one of them has the folder').toBe(true)
  return 1
}

async function expectOne(
  each: readonly Readonly<Record<string, string>>[],
  random: Random,
): Promise<void> {
  await using resources = new AsyncDisposableStack()
  const all: Running[] = []
  for (const variables of each) {
    all.push(resources.use(new Running(['serve'], variables)))
    if (random.below(2) === 0) await pause(random.below(untilLocked / 3))
  }
  const ready = await Promise.all(all.map(isReady))
  expect(ready.filter((is) => is)).toHaveLength(1)
  for (const [index, one] of all.entries()) if (!ready[index]) expect(await one.end()).toBe(2)
}

/** Whether it works, or else was refused. */
async function isReady(one: Running): Promise<boolean> {
  await expect.poll(() => one.stdout + one.stderr, { timeout: startsWithin }).toMatch(decided)
  return one.stdout.includes('slipway is ready')
}

function many(random: Random, path: () => string): readonly string[] {
  return Array.from({ length: 2 + random.below(2) }, path)
}

/** The same folder, as others may write it. */
function spelled(folder: string, link: string, random: Random): string {
  return random.pick([folder, link, `${folder}/`, `${folder}/../${basename(folder)}/.`])
}

/** Commands find no service by its address. */
async function variablesOf(folder: string) {
  return {
    SLIPWAY_DATA_DIR: folder,
    SLIPWAY_LISTEN: `127.0.0.1:${await freePort()}`,
    SLIPWAY_LOG_FORMAT: 'json',
  }
}

function copyStore(from: string, to: string): readonly string[] {
  return ['copy-store', '--from', `filesystem:${from}`, '--to', `filesystem:${to}`]
}
