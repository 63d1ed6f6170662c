import { isDeepStrictEqual } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import type { Crossed, Rule } from '../support/cluster/crossing.ts'
import { pausedImports, readyImage, type Paused } from '../support/cluster/paused.ts'
import { collection } from '../support/cluster/resources.ts'
import { openStage, type Stage } from '../support/cluster/stage.ts'

/** Who fails several times in a row waits longer and longer, in milliseconds. */
const unlucky = 100_000

const isWatch = ({ path }: Crossed) =>
  path.startsWith(`${collection}?`) && /watch=(?:1|true)/.test(path)
const isOfResources = ({ path }: Crossed) => path.startsWith(collection)

const expired = {
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: 'too old resource version: 1 (2)',
  reason: 'Expired',
  code: 410,
}

describe.skipIf(!needsCluster())('the API server', () => {
  const undo = new AsyncDisposableStack()
  let stage: Stage

  beforeAll(async () => {
    stage = undo.use(await openStage())
  })
  // Companions end here as by a power cut.
  afterEach(async () => {
    stage.crossing.rule = () => null
    await stage.forgetLeader()
  })
  afterAll(() => undo.disposeAsync())

  /** All get Ready, from one import each. */
  async function expectReady(all: readonly Paused[]): Promise<void> {
    for (const { go } of all) go()
    await Promise.all(all.map(({ name }) => stage.resources.ready(name)))
    expect(all.map(({ imports }) => imports())).toEqual(all.map(() => 1))
  }

  test('killed and started again in the middle of imports costs none of them', async () => {
    await using companion = await stage.startCompanion()
    const all = await pausedImports(stage, 'away', 3)
    await stage.cluster.stopApiServer()
    for (const { go } of all) go()
    // Imports go on meanwhile.
    for (const { name } of all) await stage.service.rest.ready(name)
    await stage.cluster.startApiServer()
    await expectReady(all)
    await readyImage(stage, 'away-after')
    expect(companion.isRunning).toBe(true)
  })

  test('away until the Lease is lost finds the companion leading again', async () => {
    await using companion = await stage.startCompanion()
    const all = await pausedImports(stage, 'lost', 1)
    stage.crossing.rule = ({ side }) => (side === 'cluster' ? 'cut' : null)
    stage.crossing.cut('cluster')
    await companion.logs.line(({ msg }) => msg === 'this process leads no more', 0, 30_000)
    stage.crossing.rule = () => null
    await expectReady(all)
    expect(companion.isRunning).toBe(true)
  })

  describe('that has forgotten what a watch asks for', () => {
    const ways: Record<string, Rule> = {
      'by status 410': (request) =>
        isWatch(request) ? { status: 410, body: JSON.stringify(expired) } : null,
      'by an event': (request) => {
        const line = JSON.stringify({ type: 'ERROR', object: expired })
        return isWatch(request) ? { status: 200, body: `${line}\n` } : null
      },
    }

    test.each(Object.keys(ways))('is listed again: %s', async (way) => {
      await using companion = await stage.startCompanion()
      const name = `expired-${way.replaceAll(' ', '-')}`
      const all = await pausedImports(stage, name, 1)
      await readyImage(stage, `${name}-away`)
      stage.crossing.rule = (request) => (isOfResources(request) ? 'cut' : null)
      stage.crossing.cut('cluster')
      // What happens while nobody watches.
      const url = stage.neighbour.url(`/${name}-away`)
      await stage.resources.create(`${name}-new`, { type: 'HTTP', http: { url } })
      await stage.resources.delete(`${name}-away`)
      const from = stage.crossing.requests.length
      let refused = 0
      stage.crossing.rule = (request, nth) => {
        const fate = refused < 2 ? (ways[way]?.(request, nth) ?? null) : null
        if (fate !== null) refused += 1
        return fate
      }
      await stage.resources.ready(`${name}-new`)
      await expectReady(all)
      const lists = () =>
        stage.crossing.requests
          .slice(from)
          .filter((request) => isOfResources(request) && request.path.includes('limit='))
      // What the first list showed may be Ready before the second one.
      await expect.poll(() => lists().length, { timeout: 30_000 }).toBeGreaterThanOrEqual(2)
      expect(refused).toBe(2)
      expect(stage.resources.find(`${name}-away`)).toBe(null)
      expect(companion.isRunning).toBe(true)
    })
  })

  test('that lets others write at the same time has what is true in the end', async () => {
    await using companion = await stage.startCompanion()
    const all = await pausedImports(stage, 'shared', 3)
    const over = new AbortController()
    const writing = all.map(({ name }) => meddle(name, over.signal))
    for (const { go } of all) go()
    for (const { name } of all) await stage.service.rest.ready(name)
    over.abort()
    await Promise.all(writing)
    for (const { name, imports } of all) {
      const { status } = await stage.service.rest.image(name)
      await stage.resources.until(name, (resource) =>
        isDeepStrictEqual(resource.status, { ...status, observedGeneration: 1 }),
      )
      expect(imports()).toBe(1)
      expect(stage.resources.find(name)?.metadata.labels?.['meddler']).toBeDefined()
    }
    expect(companion.isRunning).toBe(true)
  })

  /** Writes labels and statuses as others do by mistake, without a pause. */
  async function meddle(name: string, signal: AbortSignal): Promise<void> {
    const type = 'application/merge-patch+json'
    for (let nth = 0; !signal.aborted; nth += 1) {
      const labels = { metadata: { labels: { meddler: String(nth) } } }
      await stage.api.done(`${collection}/${name}`, { method: 'PATCH', type, body: labels })
      const status = { status: { phase: 'Pending', progress: '1%', format: 'iso' } }
      await stage.api.done(`${collection}/${name}/status`, { method: 'PATCH', type, body: status })
    }
  }

  test('in which somebody wrote a field that is not ours is written to once, not for ever', async () => {
    await using companion = await stage.startCompanion()
    await readyImage(stage, 'foreign')
    const from = stage.crossing.requests.length
    await stage.api.done(`${collection}/foreign/status`, {
      method: 'PATCH',
      type: 'application/merge-patch+json',
      body: { status: { nextRetryAt: '2026-01-01T00:00:00Z', phase: 'Failed' } },
    })
    await stage.resources.until('foreign', ({ status }) => status?.phase === 'Ready')
    // As much time as another one takes.
    await readyImage(stage, 'foreign-after')
    const writes = stage.crossing.requests
      .slice(from)
      .filter(({ path }) => path.startsWith(`${collection}/foreign/status`))
    expect(writes.length).toBeLessThan(4)
    expect(companion.isRunning).toBe(true)
  })

  test('that is slow makes nothing but time', async () => {
    stage.crossing.rule = ({ side }) => (side === 'cluster' ? 200 : null)
    await using companion = await stage.startCompanion()
    await expectReady(await pausedImports(stage, 'slow', 4))
    expect(companion.isRunning).toBe(true)
  })

  test(
    'that refuses every third request is told everything in the end',
    { timeout: 300_000 },
    async () => {
      const overloaded = { ...expired, reason: 'TooManyRequests', code: 429 }
      const broken = { ...expired, reason: 'InternalError', code: 500 }
      stage.crossing.rule = ({ side }, nth) => {
        if (side !== 'cluster' || nth % 3 !== 0) return null
        const headers = { 'retry-after': '1' }
        if (nth % 2 === 0) return { status: 429, headers, body: JSON.stringify(overloaded) }
        return { status: 500, body: JSON.stringify(broken) }
      }
      await using companion = await stage.startCompanion()
      const names = [0, 1, 2, 3].map((nth) => `faulty-${nth}`)
      for (const name of names) await readyImage(stage, name, unlucky)
      await Promise.all(names.map((name) => stage.resources.deleted(name, unlucky)))
      expect(names.map((name) => stage.neighbour.count(`/${name}`))).toEqual([1, 1, 1, 1])
      expect(companion.isRunning).toBe(true)
    },
  )
})
