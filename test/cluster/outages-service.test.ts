import { mkdir, rm } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import { pausedImport, readyImage, type Paused } from '../support/cluster/paused.ts'
import { readiness, type Resource } from '../support/cluster/resources.ts'
import { openStage, type Stage } from '../support/cluster/stage.ts'
import { disk, mebibyte } from '../support/disks.ts'

const kinds = ['ready', 'upload', 'import', 'doomed', 'new']
const away = { status: 'Unknown', reason: 'ServiceUnavailable' }

function isAway(resource: Resource): boolean {
  return readiness(resource)?.reason === 'ServiceUnavailable'
}

describe.skipIf(!needsCluster())('the service', () => {
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

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'ended by %s for a while makes resources Unknown, and nothing Failed or lost',
    async (signal) => {
      const { resources, service } = stage
      await using companion = await stage.startCompanion()
      const at = (what: string) => `${signal.toLowerCase()}-${what}`
      const paused = await oneOfEach(at)
      const statuses = () => ['ready', 'upload'].map((what) => resources.find(at(what))?.status)
      const before = statuses()
      await (signal === 'SIGTERM' ? service.stop() : service.kill())
      const url = stage.neighbour.url(`/${at('ready')}`)
      await resources.create(at('new'), { type: 'HTTP', http: { url } })
      const doomed = resources.find(at('doomed'))?.metadata.uid ?? ''
      await resources.delete(at('doomed'))
      await expectAway(at)

      paused.go()
      await service.start()
      // A deletion that could not be done has waited.
      await resources.gone(doomed)
      await Promise.all(['ready', 'import', 'new'].map((what) => isBack(at(what), 'Ready')))
      await isBack(at('upload'), 'WaitForUserUpload')
      expect(withoutPort(statuses())).toEqual(withoutPort(before))
      for (const what of kinds) expect(phasesOf(at(what))).not.toContain('Failed')
      expect(companion.isRunning).toBe(true)
    },
  )

  /** All but the new one. */
  async function oneOfEach(at: (what: string) => string): Promise<Paused> {
    await readyImage(stage, at('ready'))
    await readyImage(stage, at('doomed'))
    await stage.resources.create(at('upload'), { type: 'Upload' })
    await stage.resources.reaches(at('upload'), 'WaitForUserUpload')
    return await pausedImport(stage, at('import'))
  }

  async function expectAway(at: (what: string) => string): Promise<void> {
    const unknown = await Promise.all(kinds.map((what) => stage.resources.until(at(what), isAway)))
    expect(unknown.map(({ status }) => status?.phase)).toEqual([
      'Ready',
      'WaitForUserUpload',
      'Provisioning',
      'Terminating',
      'Pending',
    ])
    for (const resource of unknown) expect(readiness(resource)).toMatchObject(away)
    expect(readiness(unknown[3] ?? null)?.message).toMatch(/delet/)
  }

  async function isBack(name: string, phase: string): Promise<void> {
    await stage.resources.until(name, (one) => one.status?.phase === phase && !isAway(one))
  }

  test('away for a moment changes nothing', async () => {
    const { resources, service } = stage
    await using companion = await stage.startCompanion()
    await readyImage(stage, 'moment')
    const before = resources.find('moment')
    await service.stop()
    await service.start()
    await readyImage(stage, 'moment-after')
    expect(resources.find('moment')).toEqual(before)
    expect(companion.isRunning).toBe(true)
  })

  test('that comes back with nothing takes the images in again', async () => {
    const { resources, service, neighbour } = stage
    await using companion = await stage.startCompanion()
    await readyImage(stage, 'again')
    const before = resources.find('again')
    const uid = (await service.rest.image('again')).uid
    await service.stop()
    await rm(service.folder, { recursive: true })
    await mkdir(service.folder)
    await service.start()
    const since = readiness(before)?.lastTransitionTime
    const after = await resources.until('again', (resource) => {
      const ready = readiness(resource)
      return ready?.status === 'True' && ready.lastTransitionTime !== since
    })
    const image = await service.rest.image('again')
    expect(image.uid).not.toBe(uid)
    expect(after.status).toEqual({ ...image.status, observedGeneration: 1 })
    expect(neighbour.count('/again')).toBe(2)
    expect(companion.isRunning).toBe(true)
  })

  test('whose stream of events is cut again and again is followed to the end', async () => {
    const { resources, crossing, neighbour } = stage
    await using companion = await stage.startCompanion()
    const size = mebibyte
    const slow = { bytes: disk(size), rate: size / 8 }
    const names = ['cut-0', 'cut-1', 'cut-2']
    let streams = 0
    // Whatever it tells is the last that is heard of it.
    crossing.rule = ({ side, path }) => {
      if (side === 'service' && path.startsWith('/api/v1/events')) streams += 1
      if (side === 'cluster' && path.includes('/status')) crossing.cut('service')
      return null
    }
    crossing.cut('service')
    for (const name of names) {
      const url = neighbour.serve(`/${name}`, slow)
      await resources.create(name, { type: 'HTTP', http: { url } })
    }
    await Promise.all(names.map((name) => resources.ready(name)))
    expect(streams).toBeGreaterThanOrEqual(3)
    expect(names.map((name) => neighbour.count(`/${name}`))).toEqual([1, 1, 1])
    for (const name of names) {
      const progress = resources
        .history(name)
        .map(({ status }) => Number.parseFloat(status?.progress ?? '0'))
      expect(progress).toEqual(progress.toSorted((one, other) => one - other))
    }
    expect(companion.isRunning).toBe(true)
  })

  function phasesOf(name: string) {
    return stage.resources.history(name).map(({ status }) => status?.phase)
  }
})

/** A service that starts again listens elsewhere, which its URLs say. */
function withoutPort(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/127\.0\.0\.1:\d+/g, 'host'))
}
