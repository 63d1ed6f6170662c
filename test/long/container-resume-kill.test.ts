import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import {
  at,
  compressed,
  cut,
  damage,
  expectDisk,
  inLayer,
  layer,
  sent,
  size,
  source,
  stalled,
} from '../support/container-cuts.ts'
import { mebibyte } from '../support/disks.ts'
import { startHostileRegistry, type Lie } from '../support/hostile-registry.ts'
import { readiness } from '../support/rest.ts'
import { startService } from '../support/service.ts'

describe('an import out of a registry that was cut at nine tenths', () => {
  test('by kill -9 goes on in its layer', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    await cut(service, 'kill -9', source(inLayer(registry, stalled)))
    await service.start()
    await expectDisk(service)
    expect(sent(registry)).toBeLessThan(size * 1.05)
    const asked = registry.requestsFor(digestOf(layer)).map(({ headers }) => headers.range)
    expect(asked).toEqual([undefined, 'bytes=0-1535', expect.stringMatching(/^bytes=\d{8}-$/)])
  })

  test('by its registry goes on in a compressed layer, and tells of the wait', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const { rest } = service
    const packed = gzipSync(layer, { level: 1 })
    const lie: Lie = (honest) => (nth) => {
      if (nth === 1) return { ...honest, cut: { at, how: 'end' } }
      return nth === 2 ? { status: 503 } : honest
    }
    await rest.create('cut', source(compressed(registry, packed, lie)))
    const waiting = await rest.until('cut', ({ status }) => status.retries === 2)
    expect(readiness(waiting)).toMatchObject({
      reason: 'ProvisioningFailed',
      message: expect.stringMatching(/503 Service Unavailable/),
    })
    expect(waiting.status).toMatchObject({
      phase: 'Provisioning',
      nextRetryAt: expect.any(String),
    })
    await expectDisk(service)
    expect(sent(registry)).toBeLessThan(packed.length * 1.05)
  })

  test('begins again when what was kept was damaged on the disk', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    await cut(service, 'SIGTERM', source(inLayer(registry, stalled)))
    await damage(service, 10 * mebibyte)
    await service.start()
    await expectDisk(service)
    const { status } = await service.rest.image('cut')
    expect(status.retries).toBe(1)
  })
})
