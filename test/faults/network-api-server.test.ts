import { isDeepStrictEqual } from 'node:util'
import { describe, expect } from 'vitest'
import { z } from 'zod'
import { needsCluster } from '../support/cluster/binaries.ts'
import type { Companion } from '../support/cluster/companion.ts'
import type { Resource } from '../support/cluster/resources.ts'
import { openStage, type Stage } from '../support/cluster/stage.ts'
import { expectNothing } from '../support/leftovers.ts'
import { collectAll } from '../support/model-upkeep.ts'
import { Random } from '../support/random.ts'
import { get, send } from '../support/rest.ts'
import { startBadCable } from './bad-cable.ts'
import { rawDisk } from './raw-disk.ts'
import { expectNoMore, heldBy, type Held } from './sockets.ts'
import { tryOut, type Round, type Trial } from './trial.ts'

/** For each step of a resource, in milliseconds: who fails several times in a row waits longer and longer. */
const limit = 120_000
/** Sectors of a disk at most, of 512 bytes. */
const largest = 1_000
const classes = '/apis/virtualization.deckhouse.io/v1alpha2/virtualmachineclasses'

const classSchema = z.object({ status: z.object({ phase: z.string() }).optional() })

describe.skipIf(!needsCluster())('the companion', () => {
  tryOut('network-api-server', async (trial) => {
    await using stage = await openStage()
    const random = trial.randomOf('cables')
    const weather = { random, share: 60, reach: 4_000, wear: 60_000, isBounded: true }
    const { crossing, service } = stage
    await using cluster = await startBadCable(() => crossing.base('cluster'), weather)
    await using images = await startBadCable(() => crossing.base('service'), weather)
    cluster.mend()
    images.mend()
    const doors = { cluster: cluster.base, service: images.base }
    await using companion = await stage.startCompanion({}, doors)
    await Promise.all(kinds.map((kind) => life(stage, `first-${kind}`, kind, random)))
    const before = await heldBy(companion.pid)
    for (const cable of [cluster, images]) {
      cable.mend(false)
      cable.cut()
    }
    for (const round of trial.rounds()) await play(trial, round, stage)
    for (const cable of [cluster, images]) {
      cable.mend()
      cable.cut()
      for (const [kind, count] of cable.counts) trial.note(kind, count)
    }
    await expectCalm(stage, companion, before)
    await collectAll(service)
    await expectNothing(service.folder)
  })
})

const kinds = ['http', 'upload', 'shared', 'class'] as const
type Kind = (typeof kinds)[number]

async function play(trial: Trial, { index, random }: Round, stage: Stage): Promise<void> {
  await Promise.all(kinds.map((kind) => life(stage, `${kind}-${index}`, kind, random)))
  trial.tried += kinds.length
}

/** From its creation to its end. */
async function life(stage: Stage, name: string, kind: Kind, random: Random): Promise<void> {
  if (kind === 'class') return await lifeOfClass(stage, name)
  if (kind === 'upload') await uploaded(stage, name, random)
  else await imported(stage, name, random)
  if (kind === 'shared') await shared(stage, `${name}-ref`, name)
  await deleted(stage, name)
}

async function imported(stage: Stage, name: string, random: Random): Promise<void> {
  const url = stage.neighbour.serve(`/${name}`, { bytes: rawDisk(random, largest) })
  await stage.resources.create(name, { type: 'HTTP', http: { url } })
  await ready(stage, name)
  expect(stage.neighbour.count(`/${name}`), `imports of ${name}`).toBe(1)
}

async function uploaded(stage: Stage, name: string, random: Random): Promise<void> {
  const bytes = new Uint8Array(rawDisk(random, largest))
  await stage.resources.create(name, { type: 'Upload' })
  const { status } = await stage.resources.reaches(name, 'WaitForUserUpload', limit)
  const answer = await send(status?.imageUploadURLs?.external ?? '', bytes)
  expect(answer.status, await answer.text()).toBe(201)
  await ready(stage, name)
}

async function shared(stage: Stage, name: string, of: string): Promise<void> {
  const objectRef = { kind: 'ClusterVirtualImage', name: of }
  await stage.resources.create(name, { type: 'ObjectRef', objectRef })
  await ready(stage, name)
  await deleted(stage, name)
}

/** What a request that was said twice has undone is right again in the end: as the service says it, word for word. */
async function ready({ resources, service }: Stage, name: string): Promise<void> {
  await resources.ready(name, limit)
  const { status } = await service.rest.image(name)
  const isAsServed = ({ status: told }: Resource) => {
    const { sourceUID: _, observedGeneration, ...rest } = told ?? {}
    return observedGeneration === 1 && isDeepStrictEqual(rest, status)
  }
  const { metadata } = await resources.until(name, isAsServed, limit)
  const told = (await resources.events(metadata.uid)).map(({ reason }) => reason)
  expect(told, `events of ${name}`).toEqual([...new Set(told)])
}

async function deleted({ resources, service }: Stage, name: string): Promise<void> {
  await resources.deleted(name, limit)
  const { status } = await get(service.rest.url(`/${name}`))
  expect(status, `${name} after its deletion`).toBe(404)
}

async function lifeOfClass({ api }: Stage, name: string): Promise<void> {
  const [apiVersion, kind] = ['virtualization.deckhouse.io/v1alpha2', 'VirtualMachineClass']
  const body = { apiVersion, kind, metadata: { name }, spec: { cpu: { type: 'Host' } } }
  await api.done(classes, { method: 'POST', body })
  const phase = async () =>
    classSchema.parse(await api.done(`${classes}/${name}`)).status?.phase ?? null
  await expect.poll(phase, { timeout: limit }).not.toBe(null)
  await api.done(`${classes}/${name}`, { method: 'DELETE' })
  const status = async () => (await api.ask(`${classes}/${name}`)).status
  await expect.poll(status, { timeout: limit }).toBe(404)
}

/** It runs, is ready and leads, and holds nothing beyond what it held before. */
async function expectCalm(stage: Stage, companion: Companion, before: Held): Promise<void> {
  await life(stage, 'last', 'http', new Random(2))
  expect(companion.isRunning).toBe(true)
  await expectNoMore(companion.pid, before, 30_000)
}
