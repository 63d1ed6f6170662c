import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { freePort } from '../bench/peers/server.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { Child } from '../support/cluster/child.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { needs } from '../support/programs.ts'

const able = [needsCluster(), needs('openssl', 'apt-get install openssl')].every(Boolean)
const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const until = async (holds: () => Promise<void>) =>
  await vi.waitFor(holds, { timeout: 60_000, interval: 50 })

let cluster: Cluster

beforeAll(async () => {
  if (!able) return
  cluster = await startCluster()
  await cluster.kubectl('create', 'namespace', 'slipway')
})
// Those of the test before were killed, and nobody waits for what they held.
beforeEach(async () => {
  if (able) await cluster.kubectl('delete', 'lease', '--all', '-n', 'slipway')
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

/** `slipway controller` with a service that is not there. */
async function launch(): Promise<Running> {
  const port = await freePort()
  const env = {
    PATH: process.env['PATH'],
    KUBECONFIG: cluster.kubeconfig,
    SLIPWAY_URL: 'http://127.0.0.1:1',
    SLIPWAY_CONTROLLER_LISTEN: `127.0.0.1:${port}`,
    SLIPWAY_LEADER_NAMESPACE: 'slipway',
    // Nothing of it is read by the companion.
    SLIPWAY_LISTEN: '0.0.0.0:8080',
  }
  const child = new Child({ program: process.execPath, args: [program, 'controller'], env })
  return new Running(child, `http://127.0.0.1:${port}`)
}

class Running implements AsyncDisposable {
  readonly child: Child
  readonly #base: string

  constructor(child: Child, base: string) {
    this.child = child
    this.#base = base
  }

  /** Status and text; status 0 before it listens. */
  async read(path: string): Promise<string> {
    const signal = AbortSignal.timeout(5000)
    const answer = await fetch(`${this.#base}${path}`, { signal }).catch(() => null)
    return answer ? `${answer.status} ${await answer.text()}` : '0'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.child.end('SIGKILL')
  }
}

type Lease = { spec: { holderIdentity: string; leaseTransitions: number } }

const lease = async () =>
  (await cluster.read('lease', 'slipway-controller', '-n', 'slipway')) as Lease
/** And knows all resources, too. */
const leads = async (one: Running) => /^200 .*this process leads/s.test(await one.read('/readyz'))

describe.skipIf(!able)('slipway controller', () => {
  test('waits until its CRD is installed, and says so; a service that is away is no reason', async () => {
    await using one = await launch()
    await until(async () => {
      const ready = await one.read('/readyz')
      expect(ready).toMatch(
        /^503 the resources are not known yet\n.*is not there: install the CRDs/,
      )
    })
    expect(await one.read('/healthz')).toBe('200 ok\n')
    await cluster.applyCrds()
    await until(async () => {
      const ready = await one.read('/readyz')
      expect(ready).toMatch(/^200 ok\nthis process leads\nthe service is away: .*127\.0\.0\.1:1/)
    })
    const metrics = await one.read('/metrics')
    expect(metrics).toContain('slipway_controller_leader 1\n')
    expect(metrics).toContain('slipway_controller_synced 1\n')
    expect(metrics).toContain('slipway_controller_queue_depth 0\n')
    // Of images, classes and nodes, once each.
    expect(metrics).toMatch(/slipway_controller_api_requests_total\{verb="list",code="200"\} 3\n/)
  })

  test('leads alone; when it is told to end, it gives the Lease back, and the other one leads at once', async () => {
    await using one = await launch()
    await until(async () => expect(await leads(one)).toBe(true))
    await using two = await launch()
    await until(async () => expect(await two.read('/readyz')).toMatch(/^200 .*does not lead/s))
    expect(await two.read('/metrics')).toContain('slipway_controller_leader 0\n')
    const before = await lease()
    await one.child.end('SIGTERM')
    expect((await lease()).spec.holderIdentity).not.toBe(before.spec.holderIdentity)
    await until(async () => expect(await leads(two)).toBe(true))
    const { spec } = await lease()
    expect(spec.leaseTransitions).toBe(1)
  })

  test('is followed within 20 s when it is killed', async () => {
    await using one = await launch()
    await until(async () => expect(await leads(one)).toBe(true))
    await using two = await launch()
    await until(async () => expect(await two.read('/readyz')).toMatch(/^200 /))
    await one.child.end('SIGKILL')
    await vi.waitFor(async () => expect(await leads(two)).toBe(true), {
      timeout: 20_000,
      interval: 50,
    })
  })

  test('waits for an API server that is away at the start, and leads again after one that was', async () => {
    await cluster.stopApiServer()
    await using one = await launch()
    await until(async () => expect(await one.read('/readyz')).toMatch(/^503 .*does not answer/s))
    await cluster.startApiServer()
    await until(async () => expect(await leads(one)).toBe(true))
    await cluster.stopApiServer()
    await until(async () => expect(await leads(one)).toBe(false))
    expect(await one.read('/readyz')).toMatch(/^200 ok\nthe API server: .*does not answer/)
    await cluster.startApiServer()
    await until(async () => expect(await leads(one)).toBe(true))
  })

  test('says what is wrong with its configuration, and ends', async () => {
    const file = join(cluster.folder, 'broken.kubeconfig')
    await writeFile(file, 'clusters: []\n')
    const env = { PATH: process.env['PATH'], KUBECONFIG: file }
    const child = new Child({ program: process.execPath, args: [program, 'controller'], env })
    await expect(child.ready(() => Promise.resolve(false))).rejects.toThrow(
      /the configuration for the API server is no good: its current context names no cluster/,
    )
  })
})
