import { describe, expect, test } from 'vitest'
import { always, issuing, layer, withLayer, withManifest } from '../support/hostile-plays.ts'
import { json, lies, type Lie } from '../support/hostile-registry.ts'
import { openStage, source, token, type Row } from '../support/hostile-stage.ts'
import { expectNothing, stagedIn } from '../support/leftovers.ts'
import { readiness } from '../support/rest.ts'
import { startService } from '../support/service.ts'

describe('a registry that is busy gets the time that it asks for:', () => {
  const seconds = 2
  const rows: readonly { readonly what: string; readonly play: Row['play'] }[] = [
    { what: 'for the manifest', play: withManifest(lies.busy(1, seconds)) },
    { what: 'for the token', play: issuing(lies.busy(1, seconds)(json({ token }))) },
  ]
  test.each(rows)('$what', async ({ play }) => {
    await using patient = await startService()
    await using stage = await openStage()
    const before = Date.now()
    await patient.rest.create('busy', source(play(stage)))
    const waiting = await patient.rest.until('busy', ({ status }) => status.retries === 1)
    expect(readiness(waiting)).toMatchObject({
      reason: 'ProvisioningFailed',
      message: expect.stringMatching(/^the source answered 429 Too Many Requests for http:/),
    })
    expect(waiting.status.phase).toBe('Provisioning')
    const next = Date.parse(waiting.status.nextRetryAt ?? '')
    expect(next).toBeGreaterThanOrEqual(before + seconds * 1000)
    expect(next).toBeLessThanOrEqual(Date.now() + seconds * 1000)
    await patient.rest.ready('busy')
    expect(Date.now()).toBeGreaterThanOrEqual(next)
    await patient.rest.delete('busy')
    await expectNothing(patient.folder)
    await stage.expectQuiet()
  })
})

describe('an import is given up when its layer breaks for good', () => {
  const half = layer.length / 2
  const cut = (at: number) => ({ at, how: 'end' }) as const
  const breaks: { readonly [what: string]: Lie } = {
    'always-503': always({ status: 503 }),
    'always-at-one-place': (honest) => (nth) => ({ ...honest, cut: cut(nth === 1 ? half : 0) }),
    'always-without-ranges':
      ({ bytes = Buffer.alloc(0) }) =>
      () => ({ bytes, cut: cut(half) }),
    'lies-about-ranges': lies.cutThenLying(half),
  }

  test('in many ways', async () => {
    await using service = await startService({ SLIPWAY_IMPORT_RETRY_FOR: '1ms' })
    await Promise.all(
      Object.entries(breaks).map(async ([name, lie]) => {
        await using stage = await openStage()
        await service.rest.create(name, source(withLayer(lie)(stage)))
        const image = await service.rest.reaches(name, 'Failed', 60_000)
        expect(readiness(image).reason).toBe('ProvisioningFailedTerminally')
        await service.logs.line(
          (line) => line['image'] === name && line['code'] === 'SOURCE_UNAVAILABLE',
        )
        await stage.expectQuiet()
      }),
    )
    expect(await stagedIn(service.folder)).toEqual([])
    for (const name of Object.keys(breaks)) await service.rest.delete(name)
    await expectNothing(service.folder)
  })
})
