import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { tarOf } from '../fixtures/tar-by-hand.ts'
import {
  asArtifact,
  at,
  bytes,
  compressed,
  cut,
  damage,
  expectDisk,
  expectSource,
  inLayer,
  issue,
  layer,
  note,
  sent,
  size,
  source,
  stalled,
} from '../support/container-cuts.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startHostileRegistry, type Lie } from '../support/hostile-registry.ts'
import { forever, startNeighbour } from '../support/http-neighbour.ts'
import { startService } from '../support/service.ts'

const most = size * 1.05

describe('an import out of a registry that was cut at nine tenths goes on', () => {
  test('in its layer after SIGTERM', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    await cut(service, 'SIGTERM', source(inLayer(registry, stalled)))
    await service.start()
    await expectDisk(service)
    await expectSource(service, bytes)
    expect(sent(registry)).toBeLessThan(most)
  })

  test('in its layer when the registry is away for longer than it is waited for', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const away: Lie = (honest) => (nth) => {
      if (nth === 1) return { ...honest, cut: { at, how: 'end' } }
      return nth <= 6 ? { status: 503 } : honest
    }
    await service.rest.create('cut', source(inLayer(registry, away)))
    await expectDisk(service)
    const { status } = await service.rest.image('cut')
    expect(status.retries).toBe(6)
    expect(sent(registry)).toBeLessThan(most)
    // Tries of the first import, and then another import.
    expect(registry.requestsFor('1')).toHaveLength(2)
  })

  test('in an artifact that is the disk', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    await cut(service, 'kill -9', source(asArtifact(registry, bytes, stalled)))
    await service.start()
    await expectDisk(service)
    await expectSource(service, bytes)
    expect(sent(registry)).toBeLessThan(most)
  })

  test('in an artifact that is wrapped, where the disk begins anew', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const wrapped = gzipSync(bytes, { level: 1 })
    await cut(service, 'kill -9', source(asArtifact(registry, wrapped, stalled)))
    await service.start()
    await expectDisk(service)
    await expectSource(service, wrapped)
    expect(sent(registry)).toBeLessThan(wrapped.length * 1.05)
  })

  test('in a wrapped disk in a layer', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const wrapped = gzipSync(bytes, { level: 1 })
    const tar = tarOf(note, { name: 'disk/x.img.gz', data: wrapped })
    await cut(service, 'kill -9', source(registry.image('1', [tar], { layers: [stalled] })))
    await service.start()
    await expectDisk(service)
    await expectSource(service, wrapped)
    expect(sent(registry)).toBeLessThan(tar.length * 1.05)
  })

  test('again and again, at other places each time', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    // The third answer is what follows the headers of the second import.
    const twice: Lie = (honest) => (nth) => {
      if (nth === 1) return { ...honest, pause: { at: 10 * mebibyte, until: forever } }
      return nth === 3 ? { ...honest, pause: { at: 8 * mebibyte, until: forever } } : honest
    }
    await service.rest.create('cut', source(inLayer(registry, twice)))
    for (const reached of [10, 17]) {
      await service.rest.until(
        'cut',
        ({ status }) => Number(status.receivedBytes ?? 0) >= reached * mebibyte,
      )
      await service.stop()
      await service.start()
    }
    await expectDisk(service)
    expect(sent(registry)).toBeLessThan(most)
  })
})

describe('an import out of a registry begins again', () => {
  test('in a compressed layer after the end of the service', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const packed = gzipSync(layer, { level: 1 })
    await cut(service, 'SIGTERM', source(compressed(registry, packed, stalled)))
    await service.start()
    await expectDisk(service)
    const asked = registry.requestsFor(digestOf(packed)).map(({ headers }) => headers.range)
    expect(asked).toEqual([undefined, undefined])
  })

  test('when its tag has moved to another image', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    await cut(service, 'SIGTERM', source(inLayer(registry, stalled)))
    const other = disk(3 * mebibyte, 7)
    registry.image('1', [tarOf({ name: 'disk/y.img', data: other })])
    await service.start()
    await expectDisk(service, other)
  })

  test('when the headers before the disk are others than they were', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const moved = tarOf(
      { name: note.name },
      { name: 'disk/x.img', data: bytes },
      issue,
      Buffer.alloc(512),
    )
    expect(moved).toHaveLength(layer.length)
    const lie: Lie = (honest) => (nth) => {
      if (nth === 1) return { ...honest, pause: { at, until: forever } }
      return nth === 2 ? { ...honest, bytes: moved } : honest
    }
    await cut(service, 'SIGTERM', source(inLayer(registry, lie)))
    await service.start()
    await expectDisk(service)
  })

  test('when the registry knows no ranges any more', async () => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    const lie: Lie = ({ bytes: whole = bytes, headers = {} }) => stalled({ bytes: whole, headers })
    await cut(service, 'SIGTERM', source(inLayer(registry, lie)))
    await service.start()
    await expectDisk(service)
  })
})

describe('what was kept of an import and damaged on the disk is no reason to give up:', () => {
  test.each([
    ['the head of the layer', 1000],
    ['the disk', 10 * mebibyte],
  ])('%s', async (_what, position) => {
    await using registry = await startHostileRegistry()
    await using service = await startService()
    await cut(service, 'SIGTERM', source(inLayer(registry, stalled)))
    await damage(service, position)
    await service.start()
    await expectDisk(service)
  })

  test('a file behind a URL whose checksum is known', async () => {
    await using neighbour = await startNeighbour()
    await using service = await startService()
    const url = neighbour.serve('/x.img', (nth) => ({
      bytes,
      etag: '"1"',
      ranges: 'honest',
      ...(nth === 1 ? { pause: { at, until: forever } } : {}),
    }))
    const sha256 = digestOf(bytes).slice('sha256:'.length)
    await cut(service, 'SIGTERM', { type: 'HTTP', http: { url, checksum: { sha256 } } })
    await damage(service, 10 * mebibyte)
    await service.start()
    await expectDisk(service)
    expect(neighbour.requests.map(({ headers }) => headers.range ?? null)).toEqual([
      null,
      expect.stringMatching(/^bytes=\d+-$/),
      null,
    ])
  })
})
