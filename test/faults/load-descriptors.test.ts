import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { imageSchema } from '../../src/image/status.ts'
import { listSchema } from '../../src/serve/api/schema.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { needs } from '../support/programs.ts'
import { contentOf } from '../support/push-content.ts'
import type { Random } from '../support/random.ts'
import { readiness, type Image } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { run } from '../support/shell.ts'
import { becomesQuiet, collect, leavesNothing } from './load/aftermath.ts'
import { Busy, Line, Tally, Unanswered } from './load/line.ts'
import { countDescriptors, descriptorsOf, socketsOf } from './load/process.ts'
import { tryOut, type Trial } from './trial.ts'

const clients = 60
/** Of each client, one after the other. */
const deeds = 4
/** So many descriptors are left at most. */
const mostLeft = 40
const most = 4096

const bytes = disk(mebibyte, 77)
const json = { 'content-type': 'application/json' }

type Promised = { readonly path: string; readonly digest: string }

describe.skipIf(!needs('prlimit', 'apt-get install util-linux'))('descriptors', () => {
  tryOut('descriptors', async (trial) => {
    await using service = await startService()
    await using neighbour = await startNeighbour()
    const listening = socketsOf(await descriptorsOf(service.pid))
    const play: Play = { trial, service, url: neighbour.serve('/disk', { bytes, etag: '"disk"' }) }
    await round(play, trial.randomOf('warm'), most)
    const before = { ...(await descriptorsOf(service.pid)), ...listening }
    for (const { random } of trial.rounds()) {
      const open = await countDescriptors(service.pid)
      await round(play, random, open + random.below(mostLeft))
      await expect.poll(() => descriptorsOf(service.pid)).toEqual(before)
      neighbour.requests.length = 0
      service.logs.forget()
      trial.tried += 1
    }
    await leavesNothing(service)
  })
})

type Play = { readonly trial: Trial; readonly service: Service; readonly url: string }

async function round(play: Play, random: Random, limit: number): Promise<void> {
  const { service, trial } = play
  const promised: Promised[] = []
  await allow(service, limit)
  const each = Array.from({ length: clients }, async () => {
    for (let done = 0; done < deeds; done += 1) {
      trial.note(await attempt(service, (line) => random.pick(tries)(line, random, play, promised)))
      await pause(random.below(20))
    }
  })
  await Promise.all(each)
  await allow(service, most)
  await using line = new Line(service.base, new Tally())
  for (const { path, digest } of promised) {
    const { body } = await line.ask(path, [200])
    expect(digestOf(body)).toBe(digest)
  }
  await settle(line)
  await collect(line)
  await becomesQuiet(line)
}

/** Of what it opens from now on. */
async function allow({ pid }: Service, limit: number): Promise<void> {
  await run('prlimit', ['--pid', String(pid), `--nofile=${limit}:`])
}

/** Whoever is not let in, or is told to come again, has been promised nothing. */
async function attempt(service: Service, work: (line: Line) => Promise<void>): Promise<string> {
  await using line = new Line(service.base, new Tally(), 0)
  try {
    await work(line)
    return 'requests answered'
  } catch (error) {
    if (error instanceof Unanswered) return 'connections refused'
    if (error instanceof Busy) return 'requests told to come again'
    throw error
  }
}

type Try = (line: Line, random: Random, play: Play, promised: Promised[]) => Promise<void>

const push: Try = async (line, random, _, promised) => {
  const body = contentOf(random, 1 + random.below(256 * 1024))
  const digest = digestOf(body)
  const path = `/v2/load/d${random.below(5)}/blobs`
  const method = 'POST'
  const headers = { 'content-type': 'application/octet-stream' }
  await line.ask(`${path}/uploads/?digest=${digest}`, [201], { method, headers, body })
  promised.push({ path: `${path}/${digest}`, digest })
}

const importing: Try = async (line, random, { url }) => {
  const http = { url: `${url}?${random.below(1000)}` }
  const dataSource = { type: 'HTTP', http }
  const name = `i-${random.below(2 ** 31)}`
  const body = JSON.stringify({ name, dataSource })
  await line.ask('/api/v1/images', [201], { method: 'POST', headers: json, body })
}

const upload: Try = async (line, random, { service }, promised) => {
  const name = `u-${random.below(2 ** 31)}`
  const body = JSON.stringify({ name, dataSource: { type: 'Upload' } })
  const made = await line.ask('/api/v1/images', [201], { method: 'POST', headers: json, body })
  const { status } = imageSchema.parse(JSON.parse(made.body.toString()))
  const door = new URL(status.imageUploadURLs?.external ?? '/', service.base).pathname
  await line.ask(door, [201], { method: 'PUT', body: bytes })
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  promised.push({ path: `/api/v1/images/${name}/disk`, digest })
}

const list: Try = async (line) => void (await line.ask('/api/v1/images?limit=5', [200]))
const live: Try = async (line) => void (await line.ask('/healthz', [200]))

const tries: readonly [Try, ...Try[]] = [push, push, importing, upload, list, live]

/** Every import ends well once there are descriptors again; an upload that was cut waits for its rest, or says why not. */
async function settle(line: Line): Promise<void> {
  const all = async () => {
    const { body } = await line.ask('/api/v1/images?limit=500', [200])
    return listSchema.parse(JSON.parse(body.toString())).items
  }
  const imports = async () => (await all()).filter(isUnsettled)
  await expect.poll(imports, { timeout: 120_000, interval: 200 }).toEqual([])
  for (const image of await all()) {
    if (image.status.phase === 'Failed') throw new Error(readiness(image).message)
    await line.ask(`/api/v1/images/${image.name}`, [202], { method: 'DELETE' })
  }
}

function isUnsettled({ dataSource, status }: Image) {
  return dataSource.type === 'HTTP' && status.phase !== 'Ready' && status.phase !== 'Failed'
}
