import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion, type Companion } from '../support/cluster/companion.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { startService, type Service } from '../support/service.ts'

const bytes = disk(mebibyte)
const patience = { timeout: 40_000, interval: 50 }
const resourceSchema = z.object({
  metadata: z.object({ uid: z.string(), resourceVersion: z.string() }),
})

describe.skipIf(!needsCluster())(
  'a leader that is frozen, and wakes when another one leads',
  () => {
    const held = new AsyncDisposableStack()
    const proceed = Promise.withResolvers<void>()
    let cluster: Cluster
    let service: Service
    let url: string

    beforeAll(async () => {
      cluster = held.use(await startCluster())
      const neighbour = held.use(await startNeighbour())
      service = held.use(await startService())
      await cluster.applyCrds()
      const pause = { at: mebibyte / 2, until: proceed.promise }
      url = neighbour.serve('/slow', { bytes, pause })
    })
    afterAll(() => held.disposeAsync())

    async function leads(companion: Companion, expected = 'this process leads'): Promise<void> {
      await expect.poll(() => companion.read('/readyz'), patience).toContain(expected)
    }

    async function apply(name: string, dataSource: object): Promise<void> {
      const apiVersion = 'virtualization.deckhouse.io/v1alpha2'
      const kind = 'ClusterVirtualImage'
      const resource = { apiVersion, kind, metadata: { name }, spec: { dataSource } }
      await cluster.apply(JSON.stringify(resource))
    }

    async function reaches(name: string, phase: string): Promise<void> {
      const is = `--for=jsonpath={.status.phase}=${phase}`
      await cluster.kubectl('wait', is, `cvi/${name}`, '--timeout=40s')
    }

    async function metadataOf(name: string) {
      return resourceSchema.parse(await cluster.read('cvi', name)).metadata
    }

    test(
      'writes nothing of what it knew, neither then nor when it leads again',
      { timeout: 120_000 },
      async () => {
        const options = { kubeconfig: cluster.kubeconfig, service: service.base }
        const first = held.use(await startCompanion(options))
        await leads(first)
        const second = held.use(await startCompanion(options))
        await apply('slow', { type: 'HTTP', http: { url } })
        await apply('again', { type: 'Upload' })
        await reaches('slow', 'Provisioning')
        await reaches('again', 'WaitForUserUpload')
        process.kill(first.pid, 'SIGSTOP')
        await leads(second)
        proceed.resolve()
        await reaches('slow', 'Ready')
        await cluster.kubectl('delete', 'cvi/again')
        await apply('again', { type: 'Upload' })
        await reaches('again', 'WaitForUserUpload')
        const before = [await metadataOf('slow'), await metadataOf('again')]
        const { uid } = await service.rest.image('again')
        process.kill(first.pid, 'SIGCONT')
        await leads(first, 'this process does not lead')
        await second.stop()
        await leads(first, 'the service is listened to')
        await apply('after', { type: 'Upload' })
        await reaches('after', 'WaitForUserUpload')
        expect([await metadataOf('slow'), await metadataOf('again')]).toEqual(before)
        expect((await service.rest.image('again')).uid).toBe(uid)
        expect(await service.rest.names()).toEqual(['after', 'again', 'slow'])
      },
    )
  },
)
