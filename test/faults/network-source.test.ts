import { expect } from 'vitest'
import { tarOf } from '../fixtures/tar-by-hand.ts'
import { within } from '../support/deadline.ts'
import { startHostileRegistry } from '../support/hostile-registry.ts'
import { startNeighbour, type Script } from '../support/http-neighbour.ts'
import { expectOnly } from '../support/leftovers.ts'
import { collectAll } from '../support/model-upkeep.ts'
import { Random } from '../support/random.ts'
import { get, readiness, Rest, type Image, type Source } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { startBadCable } from './bad-cable.ts'
import { rawDisk } from './raw-disk.ts'
import { expectNoMore, heldBy } from './sockets.ts'
import { tryOut, type Round, type Trial } from './trial.ts'

/** Imports at the same time: what is stalled holds nobody else up. */
const lanes = 20
/** Sectors of a disk at most, of 512 bytes. */
const largest = 4_000
/** From the creation of an image to its end, in milliseconds: after each break it waits longer. */
const limit = 400_000
/** Images that stay to the end. */
const kept = 10

const variables = {
  SLIPWAY_IMPORT_CONCURRENCY: String(lanes),
  // Once it does not get on for so long, it fails, and says so.
  SLIPWAY_IMPORT_RETRY_FOR: '20s',
}

tryOut('network-source', async (trial) => {
  await using service = await startService(variables)
  await play(trial, { index: 0, random: new Random(1) }, service, [])
  await restOf(service).delete('image-0')
  const before = await heldBy(service.pid)
  const stays: string[] = []
  const rounds = trial.rounds()
  const lane = async () => {
    for (const { index, random } of rounds) {
      const work = play(trial, { index, random }, service, stays)
      await within(limit, `round ${index}`, work)
      trial.tried += 1
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  await expectNoMore(service.pid, before, 30_000)
  await collectAll(service)
  await expectOnly(service.folder, stays.toSorted())
})

/** Whoever asks keeps no connection: those that are left at the end are the service's own. */
const leaving = { connection: 'close' } as const

function restOf(service: Service): Rest {
  return new Rest(() => service.base, leaving)
}

/** What an image is imported from, and what may become of it. */
type Stage = {
  readonly target: () => string
  /** @param base the cable's */
  readonly source: (base: string) => Source
  /** Every one of them was whole at the source at some time. */
  readonly disks: readonly Buffer[]
}

async function play(
  trial: Trial,
  { index, random }: Round,
  service: Service,
  stays: string[],
): Promise<void> {
  const name = `image-${index}`
  await using undo = new AsyncDisposableStack()
  const stage =
    random.below(3) === 0 ? await registryStage(random, undo) : await httpStage(random, undo)
  const reach = stage.disks[0]?.length ?? 1
  const options = { random, share: 80, reach, mainly: 'back' } as const
  const cable = undo.use(
    await startBadCable(stage.target, { ...options, isBounded: trial.isShort }),
  )
  const rest = restOf(service)
  await rest.create(name, stage.source(cable.base))
  let image = await ended(service, name)
  if (image.status.phase === 'Failed') {
    expectTrue(image)
    trial.note('failed, with the reason')
    cable.mend()
    await rest.retry(name)
    image = await ended(service, name)
  }
  await expectOneOf(service, image, stage.disks)
  for (const [kind, count] of cable.counts) trial.note(kind, count)
  if (index < kept) stays.push(name)
  else await rest.delete(name)
}

async function ended(service: Service, name: string): Promise<Image> {
  return await restOf(service).until(name, ({ status }) => ends.has(status.phase), limit)
}

const ends = new Set(['Ready', 'Failed'])

/** Nothing else than the cable was wrong. */
function expectTrue(image: Image): void {
  expect(readiness(image)).toMatchObject({
    status: 'False',
    reason: 'ProvisioningFailedTerminally',
    message: expect.stringMatching(/the source|no connection to|registry/),
  })
}

async function expectOneOf(service: Service, image: Image, disks: readonly Buffer[]) {
  expect(image.status.phase, readiness(image).message).toBe('Ready')
  const answer = await get(service.rest.url(`/${image.name}/disk`), leaving)
  const read = Buffer.from(await answer.arrayBuffer())
  if (!disks.some((disk) => disk.equals(read))) throw new Error(`${image.name} has other bytes`)
}

/** A file that may be replaced by another one, of the same length or not, with or without signs of it. */
async function httpStage(random: Random, undo: AsyncDisposableStack): Promise<Stage> {
  const neighbour = undo.use(await startNeighbour())
  const first = rawDisk(random, largest)
  const second = random.below(4) === 0 ? rawDisk(random, largest) : altered(first)
  const disks = [first, second]
  // Mostly when the first connection has broken.
  const change = random.pick([1, 1, 2, 3, Infinity])
  const sign = random.pick(signs)
  const ranges = random.below(4) > 0 ? { ranges: 'honest' as const } : {}
  const framing = random.below(6) === 0 ? { framing: 'chunked' as const } : {}
  neighbour.serve('/disk', (nth) => {
    const version = nth > change ? 1 : 0
    return { bytes: disks[version] ?? first, ...signOf(sign, version), ...ranges, ...framing }
  })
  return {
    target: () => neighbour.url(''),
    source: (base) => ({ type: 'HTTP', http: { url: `${base}/disk` } }),
    disks,
  }
}

const signs = ['etag', 'date', 'none'] as const

function signOf(sign: (typeof signs)[number], version: number): Script {
  if (sign === 'etag') return { etag: `"${version}"` }
  return sign === 'date' ? { lastModified: `Mon, 0${version + 1} Jun 2026 00:00:00 GMT` } : {}
}

/** The same length, and another byte in every page: what is put together of both is neither. */
function altered(bytes: Buffer): Buffer {
  const other = Buffer.from(bytes)
  for (let at = 600; at < other.length; at += 4096) other[at] = (other[at] ?? 0) ^ 1
  return other
}

async function registryStage(random: Random, undo: AsyncDisposableStack): Promise<Stage> {
  const registry = undo.use(await startHostileRegistry())
  const bytes = rawDisk(random, largest)
  const layer = tarOf({ name: 'disk/x.img', data: bytes })
  const image = registry.image('1', [layer])
  const imageAt = (base: string) => image.replace(registry.host, new URL(base).host)
  return {
    target: () => registry.neighbour.url(''),
    source: (base) => ({ type: 'ContainerImage', containerImage: { image: imageAt(base) } }),
    disks: [bytes],
  }
}
