import { describe, expect, test } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import { startCompanion } from '../support/cluster/companion.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { startCollector } from '../support/otlp.ts'
import { startService } from '../support/service.ts'

describe.skipIf(!needsCluster())('a trace', () => {
  test('leads from the companion through the service, and has no credentials', async () => {
    await using cluster = await startCluster()
    await cluster.applyCrds()
    await using collector = await startCollector()
    await using neighbour = await startNeighbour()
    const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
    await using service = await startService(variables)
    const { kubeconfig } = cluster
    await using companion = await startCompanion({ kubeconfig, service: service.base, variables })
    const url = neighbour.serve('/traced', { bytes: disk(mebibyte) })
    await cluster.apply(
      JSON.stringify({
        apiVersion: 'virtualization.deckhouse.io/v1alpha2',
        kind: 'ClusterVirtualImage',
        metadata: { name: 'traced' },
        spec: { dataSource: { type: 'HTTP', http: { url } } },
      }),
    )
    await expect
      .poll(async () => (await service.rest.list()).items[0]?.status.phase, { timeout: 40_000 })
      .toBe('Ready')
    await companion.stop()
    await service.stop()
    const { spans } = collector
    const create = spans.find(({ name }) => name === 'POST /api/v1/images')
    const call = spans.find(({ id }) => id === create?.parent)
    const reconcile = spans.find(({ id }) => id === call?.parent)
    expect(create).toMatchObject({ service: 'slipway', traceId: reconcile?.traceId })
    expect(call).toMatchObject({ name: 'POST', kind: 3, service: 'slipway-controller' })
    expect(reconcile).toMatchObject({
      name: 'reconcile',
      attributes: { 'k8s.resource.name': 'traced' },
    })
    const others = spans.filter(({ parent }) => parent === reconcile?.id)
    expect(others.length).toBeGreaterThan(1)
    expect(collector.raw).not.toMatch(/Bearer|authorization/i)
  })
})
