import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { mebibyte } from '../support/disks.ts'
import { contentOf } from '../support/push-content.ts'
import { PushKills } from '../support/push-kills.ts'
import { Random } from '../support/random.ts'
import { bytesOf, expectStatus, RegistryClient } from '../support/registry-client.ts'
import { startService } from '../support/service.ts'
import { request } from '../support/wire.ts'

const seed = 20_265
const repository = 'restart/it'

describe(`pushes under which the service ends (seed ${seed})`, () => {
  test.each(['kill -9', 'SIGTERM'])('by %s lose nothing that was acknowledged', async (how) => {
    await using service = await startService()
    const kills = new PushKills(service, seed)
    const acknowledged = () => kills.counts.blobs + kills.counts.manifests
    // A round lasts as chance has it, and on a slow machine nothing may be done before its end.
    for (let round = 0; round < 2 || (round < 10 && acknowledged() === 0); round += 1) {
      await kills.round(() => (how === 'SIGTERM' ? service.stop() : service.kill()))
    }
    expect(acknowledged()).toBeGreaterThan(0)
  })

  test.each(['kill -9', 'SIGTERM'])('by %s go on where their parts had ended', async (how) => {
    await using service = await startService()
    const client = new RegistryClient(() => service.base)
    const bytes = contentOf(new Random(seed), 2 * mebibyte)
    const session = await client.begin(repository)
    await expectStatus(await client.append(session, bytes.subarray(0, mebibyte), 0), 202)
    await (how === 'SIGTERM' ? service.stop() : service.kill())
    await service.start()
    expect(await client.last(session)).toBe(mebibyte - 1)
    await expectStatus(await client.finish(session, digestOf(bytes), bytes.subarray(mebibyte)), 201)
    const read = await client.blob('GET', repository, digestOf(bytes))
    expect((await bytesOf(read)).equals(bytes)).toBe(true)
  })

  test('by SIGTERM do not hold it up when they are silent, and go on later', async () => {
    await using service = await startService()
    const client = new RegistryClient(() => service.base)
    const bytes = contentOf(new Random(seed), 2 * mebibyte)
    const session = await client.begin(repository)
    using wire = await request('PATCH', client.url(session), { 'Content-Length': bytes.length })
    await wire.send(bytes.subarray(0, mebibyte))
    // While somebody writes, the offset is what has come in whole slabs.
    await expect.poll(() => client.last(session), { timeout: 20_000 }).toBeGreaterThan(mebibyte / 2)
    await service.stop()
    await service.start()
    expect(await client.last(session)).toBe(mebibyte - 1)
  })
})
