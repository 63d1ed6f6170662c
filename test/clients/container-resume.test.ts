import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startPeer, type Peer } from '../support/clients-daemon.ts'
import type { Compression } from '../support/clients-layout.ts'
import { startTap, type Overheard, type Tap } from '../support/clients-tap.ts'
import { clientHome, hostOf, type Home } from '../support/clients.ts'
import { canMakeImages, compressedAs, madeByUmoci, push } from '../support/container-images.ts'
import { durable, expectDisk, source } from '../support/container-cuts.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { needs } from '../support/programs.ts'
import { readiness } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const able = [needs('docker-registry', 'apt-get install docker-registry'), canMakeImages()].every(
  Boolean,
)

const size = 200 * mebibyte
const bytes = disk(size)

describe.skipIf(!able)('an import out of docker-registry that is cut at nine tenths', () => {
  let home: Home
  const images = new Map<Compression, string>()
  /** Stopped by a test, and started again with what was pushed. */
  let peer: Peer
  let addr: string

  beforeAll(async () => {
    home = await clientHome()
    peer = await startPeer(home)
    addr = hostOf(peer.base)
    await writeFile(home.at('x.img'), bytes)
    const made = await madeByUmoci(home, [home.at('x.img'), '/disk/x.img'])
    for (const compression of ['plain', 'gzip'] as const) {
      const to = `team/disk:${compression}`
      await push(home, await compressedAs(home, made, compression), `${addr}/${to}`)
      images.set(compression, to)
    }
  }, 180_000)
  afterAll(async () => {
    await peer[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
  })

  const isLayer = ({ path, given }: Overheard) => path.includes('/blobs/') && given >= mebibyte
  const moved = ({ overheard }: Tap) => overheard.reduce((sum, { given }) => sum + given, 0)

  /** A tap that does something, once, when nine tenths have come; nothing comes while it does. */
  const tapped = async (then: () => Promise<void>): Promise<Tap> => {
    let isDue = true
    return await startTap(`http://${addr}`, {
      async onGiven(seen) {
        if (!isDue || !isLayer(seen) || seen.given < size * 0.9) return
        isDue = false
        await then()
      },
    })
  }

  async function expectWhole(service: Service, tap: Tap): Promise<void> {
    await expectDisk(service, bytes)
    expect(moved(tap) / size - 1, 'share of the bytes that came again').toBeLessThan(0.05)
  }

  const begin = async ({ rest }: Service, tap: Tap, compression: Compression) =>
    await rest.create('cut', source(`${hostOf(tap.base)}/${images.get(compression)}`))

  test.each(['plain', 'gzip'] as const)('by a restart of it goes on: %s', async (compression) => {
    await using service = await startService()
    const stopped = Promise.withResolvers<void>()
    await using tap = await tapped(async () => {
      await peer[Symbol.asyncDispose]()
      stopped.resolve()
    })
    await begin(service, tap, compression)
    await stopped.promise
    const waiting = await service.rest.until('cut', ({ status }) => (status.retries ?? 0) >= 3)
    expect(readiness(waiting).reason).toBe('ProvisioningFailed')
    peer = await startPeer(home, { addr })
    await expectWhole(service, tap)
  })

  test('by kill -9 of the service goes on', async () => {
    await using service = await startService()
    const killed = Promise.withResolvers<void>()
    await using tap = await tapped(async () => {
      await expect.poll(() => durable(service), { timeout: 20_000 }).toBeGreaterThan(size * 0.87)
      await service.kill()
      killed.resolve()
    })
    await begin(service, tap, 'plain')
    await killed.promise
    await service.start()
    await expectWhole(service, tap)
  })
})
