import { mkdir, rm } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import { pausedImport, readyImage } from '../support/cluster/paused.ts'
import { readiness, type Resource } from '../support/cluster/resources.ts'
import { openStage, type Stage } from '../support/cluster/stage.ts'
import { disk, mebibyte } from '../support/disks.ts'

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
      const { resources, service, crossing } = stage
      await using companion = await stage.startCompanion()
      const at = (what: string) => `${signal.toLowerCase()}-${what}`
      const names = ['ready', 'upload', 'import', 'doomed', 'new'].map(at)
      await readyImage(stage, at('ready'))
      await readyImage(stage, at('doomed'))
      await resources.create(at('upload'), { type: 'Upload' })
      await resources.reaches(at('upload'), 'WaitForUserUpload')
      const paused = await pausedImport(stage, at('import'))
      const before = ['ready', 'upload'].map((what) => resources.find(at(what))?.status)

      await (signal === 'SIGTERM' ? service.stop() : service.kill())
      const doomed = resources.find(at('doomed'))?.metadata.uid ?? ''
      await resources.delete(at('doomed'))
      const url = stage.neighbour.url(`/${at('ready')}`)
      await resources.create(at('new'), { type: 'HTTP', http: { url } })
      const unknown = await Promise.all(
        ['ready', 'upload', 'import', 'doomed', 'new'].map((what) =>
          resources.until(at(what), isAway),
        ),
      )
      for (const resource of unknown) expect(readiness(resource)).toMatchObject(away)
      expect(unknown.map(({ status }) => status?.phase)).toEqual([
        'Ready',
        'WaitForUserUpload',
        'Provisioning',
        'Terminating',
        'Pending',
      ])
      expect(readiness(unknown[3] ?? null)?.message).toMatch(/delet/)
      // A deletion that cannot be done waits.
      expect(resources.find(at('doomed'))?.metadata.uid).toBe(doomed)

      paused.go()
      await service.start()
      await resources.gone(doomed)
      await Promise.all(['ready', 'import', 'new'].map((what) => resources.ready(at(what))))
      await resources.until(at('upload'), (resource) => !isAway(resource))
      const after = ['ready', 'upload'].map((what) => resources.find(at(what))?.status)
      expect(withoutPort(after)).toEqual(withoutPort(before))
      expect(new Set(names.flatMap((name) => phasesOf(name)))).not.toContain('Failed')
      expect(companion.isRunning).toBe(true)
      expect(crossing.requests.length).toBeGreaterThan(0)
    },
  )

  test('away for a moment changes nothing', async () => {
    const { resources, service } = stage
    await using _ = await stage.startCompanion()
    await readyImage(stage, 'moment')
    const before = resources.find('moment')
    await service.stop()
    await service.start()
    await readyImage(stage, 'moment-after')
    expect(resources.find('moment')).toEqual(before)
  })

  test('that comes back with nothing takes the images in again', async () => {
    const { resources, service, neighbour } = stage
    await using _ = await stage.startCompanion()
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
  })

  test('whose stream of events is cut again and again is followed to the end', async () => {
    const { resources, crossing, neighbour } = stage
    await using _ = await stage.startCompanion()
    const size = mebibyte
    const slow = { bytes: disk(size), rate: size / 4 }
    const names = ['cut-0', 'cut-1', 'cut-2']
    let streams = 0
    crossing.rule = ({ side, path }) => {
      if (side !== 'service' || !path.startsWith('/api/v1/events')) return null
      streams += 1
      setTimeout(() => crossing.cut('service'), 200)
      return null
    }
    crossing.cut('service')
    for (const name of names) {
      const url = neighbour.serve(`/${name}`, slow)
      await resources.create(name, { type: 'HTTP', http: { url } })
    }
    await Promise.all(names.map((name) => resources.ready(name)))
    expect(streams).toBeGreaterThan(5)
    expect(names.map((name) => neighbour.count(`/${name}`))).toEqual([1, 1, 1])
    for (const name of names) {
      const progress = resources
        .history(name)
        .map(({ status }) => Number.parseFloat(status?.progress ?? '0'))
      expect(progress).toEqual(progress.toSorted((one, other) => one - other))
    }
  })

  function phasesOf(name: string) {
    return stage.resources.history(name).map(({ status }) => status?.phase)
  }
})

/** A service that starts again listens elsewhere, which its URLs say. */
function withoutPort(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/127\.0\.0\.1:\d+/g, 'host'))
}
