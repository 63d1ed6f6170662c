import { connect } from 'node:net'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { hostPort } from '../../../src/env.ts'
import { Health, type HealthLimits } from '../../../src/sync/health.ts'
import { CompanionMetrics } from '../../../src/sync/metrics.ts'
import { readinessOf, type ReadinessOptions } from '../../../src/sync/readiness.ts'
import { Wire } from '../../support/wire.ts'
import { connected } from '../serve/listener-under-test.ts'

const log = pino({ level: 'silent' })
const well: ReadinessOptions = {
  resources: { isSynced: true, trouble: null },
  others: [],
  leader: { isLeading: true, trouble: null },
  mirror: { lostSince: null, trouble: null },
  webhook: null,
  isStopping: () => false,
}

async function open(
  options: ReadinessOptions,
  metrics = new CompanionMetrics(),
  limits: Partial<HealthLimits> = {},
) {
  const readiness = () => readinessOf(options)
  const given = { metrics, readiness, log, limits }
  const health = await Health.open({ host: '127.0.0.1', port: 0 }, given)
  const read = async (path: string) => {
    const answer = await fetch(`http://${hostPort(health.address)}${path}`)
    return `${answer.status} ${await answer.text()}`
  }
  return {
    read,
    address: health.address,
    [Symbol.asyncDispose]: () => health[Symbol.asyncDispose](),
  }
}

describe('the health of the companion', () => {
  test('is told at three paths, and at no other', async () => {
    await using opened = await open(well)
    expect(await opened.read('/healthz')).toBe('200 ok\n')
    expect(await opened.read('/readyz?verbose')).toBe(
      '200 ok\nthis process leads\nthe service is listened to\n',
    )
    expect(await opened.read('/')).toMatch(/^404 /)
  })

  test.each<[string, Partial<ReadinessOptions>, number, RegExp]>([
    [
      'a follower',
      { leader: { isLeading: false, trouble: null } },
      200,
      /^ok\nthis process does not lead$/,
    ],
    [
      'a companion without its service',
      { mirror: { lostSince: 1, trouble: new Error('gone') } },
      200,
      /the service is away: gone/,
    ],
    [
      'one that knows its resources, from before',
      { resources: { isSynced: true, trouble: 'away' } },
      200,
      /^ok\nthe API server: away/,
    ],
    [
      'one that does not know its resources',
      { resources: { isSynced: false, trouble: 'no CRD' } },
      503,
      /not known yet\nthe API server: no CRD/,
    ],
    [
      'one that is told nothing of machines, which keeps no image from anybody',
      {
        others: [
          ['nodes', { trouble: null }] as const,
          ['machines', { trouble: 'forbidden' }] as const,
        ],
      },
      200,
      /^ok\nthe API server, of machines: forbidden\nthis process leads/,
    ],
    [
      'one without an API server, which is told once',
      {
        resources: { isSynced: true, trouble: 'away' },
        others: [['nodes', { trouble: 'away' }] as const],
      },
      200,
      /^ok\nthe API server: away\nthis process leads/,
    ],
    [
      'one without a Lease',
      { leader: { isLeading: false, trouble: 'forbidden' } },
      200,
      /the Lease: forbidden/,
    ],
    [
      'one whose webhook has a certificate',
      { webhook: { hasCertificate: true, trouble: 'conflict' } },
      200,
      /^ok\nthe certificate of the webhook: conflict\n/,
    ],
    [
      'one whose webhook has none',
      { webhook: { hasCertificate: false, trouble: 'forbidden' } },
      503,
      /^the webhook has no certificate yet\nthe certificate of the webhook: forbidden\nthis/,
    ],
    ['one that ends', { isStopping: () => true }, 503, /shutting down/],
  ])('of %s', (_who, options, status, text) => {
    const { isReady, lines } = readinessOf({ ...well, ...options })
    expect(isReady).toBe(status === 200)
    expect(lines.join('\n')).toMatch(text)
  })

  test('comes with its metrics, which have no names of resources', async () => {
    const metrics = new CompanionMetrics()
    metrics.levelsFrom(() => ({ depth: 7, isLeading: true, isSynced: false }))
    metrics.requests.inc({ verb: 'watch', code: '200' })
    metrics.reconcileSeconds.observe(0.01)
    metrics.reconcileErrors.inc()
    await using opened = await open(well, metrics)
    const text = await opened.read('/metrics')
    for (const line of [
      'slipway_controller_queue_depth 7',
      'slipway_controller_leader 1',
      'slipway_controller_synced 0',
      'slipway_controller_api_requests_total{verb="watch",code="200"} 1',
      'slipway_controller_reconcile_seconds_bucket{le="0.02"} 1',
      'slipway_controller_reconcile_errors_total 1',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
  })

  test('is told to others while one address holds all the connections that there are', async () => {
    await using opened = await open(well, new CompanionMetrics(), { connections: 3 })
    const { port } = opened.address
    const silent = await Promise.all(Array.from({ length: 3 }, () => connected(port)))
    const probe = connect({ port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    using wire = new Wire(probe)
    await wire.send('GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect((await wire.answer()).status).toBe(200)
    for (const socket of silent) socket.destroy()
  })

  test('waits for no head that does not come', async () => {
    await using opened = await open(well, new CompanionMetrics(), { headersTimeout: 100 })
    using wire = new Wire(await connected(opened.address.port))
    await wire.send('GET /healthz HTTP/1.1\r\nHost: ')
    expect((await wire.answer()).status).toBe(408)
  })

  test('says which setting is to be changed when its address is taken', async () => {
    await using opened = await open(well)
    const { address } = opened
    const again = Health.open(address, {
      metrics: new CompanionMetrics(),
      readiness: () => ({ isReady: true, lines: [] }),
      log,
    })
    await expect(again).rejects.toThrow(/EADDRINUSE.*SLIPWAY_CONTROLLER_LISTEN/)
  })
})
