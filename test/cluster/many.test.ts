import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Request } from '../support/cluster/audit.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion, type Companion } from '../support/cluster/companion.ts'
import { Crowd } from '../support/cluster/crowd.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { peakMemory, tellsMemory } from '../support/peak-memory.ts'
import { needs } from '../support/programs.ts'
import { startService, type Service } from '../support/service.ts'

/** 2 000 resources at once: what that costs the API server and the companion, and that nobody is kept waiting. */

const able = [needsCluster(), needs('openssl', 'apt-get install openssl')].every(Boolean)
const rbac = fileURLToPath(new URL('../../deploy/rbac', import.meta.url))
const account = 'system:serviceaccount:slipway:slipway-controller'

const total = 2000
const uploads = 10
const references = 10
/** So many different disks, whose bytes the images share. */
const disks = 5
/** Of the companion, for each resource, from its creation to its end. */
const most = 12
const memory = 250 * 1024 ** 2
/** All of them, on two cores that have something else to do, too, in milliseconds. */
const limit = 400_000

const held = new AsyncDisposableStack()
let cluster: Cluster
let service: Service
let companion: Companion
let crowd: Crowd
const urls: string[] = []

beforeAll(async () => {
  if (!able) return
  cluster = held.use(await startCluster())
  const neighbour = held.use(await startNeighbour())
  service = held.use(await startService({ SLIPWAY_IMPORT_CONCURRENCY: '16' }))
  await cluster.applyCrds()
  const kubeconfig = await companionsAccount()
  const variables = { SLIPWAY_LEADER_NAMESPACE: 'slipway' }
  companion = held.use(await startCompanion({ kubeconfig, service: service.base, variables }))
  crowd = held.use(new Crowd(cluster.kubeconfig))
  for (let seed = 0; seed < disks; seed += 1) {
    urls.push(neighbour.serve(`/${seed}.img`, { bytes: disk(mebibyte, seed) }))
  }
})
afterAll(() => held.disposeAsync())

/** With the rights that it is installed with. */
async function companionsAccount(): Promise<string> {
  await cluster.kubectl('create', 'namespace', 'slipway')
  await cluster.kubectl('apply', '-k', rbac)
  const token = await cluster.serviceAccountToken('slipway', 'slipway-controller')
  return await cluster.kubeconfigFor(token)
}

const nameOf = (index: number) => `image-${String(index).padStart(4, '0')}`

function sourceOf(index: number): object {
  if (index < uploads) return { type: 'Upload' }
  if (index >= uploads + references) {
    return { type: 'HTTP', http: { url: urls[index % disks] } }
  }
  const name = nameOf(index + references)
  return { type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage', name } }
}

function* all(): Generator<readonly [string, object]> {
  for (let index = 0; index < total; index += 1) yield [nameOf(index), sourceOf(index)]
}

/** What is asked as time goes by, whatever images there are. */
const others = /^(?:leases|nodes|configmaps|virtualmachines|virtualmachineclasses)(?:\/|$)/

/** What the companion asked for the sake of images. */
async function asked(): Promise<readonly Request[]> {
  const requests = await cluster.audit()
  return requests.filter(({ user, resource }) => user === account && !others.test(resource ?? ''))
}

function tally(requests: readonly Request[]): string {
  const counts = Map.groupBy(requests, ({ verb, resource, code }) => `${verb} ${resource} ${code}`)
  return [...counts].map(([what, all]) => `${all.length} × ${what}`).join(', ')
}

/** The next one begins when the API server has ended the one before, as it does when it has learned of a new kind. */
function expectOneWatch(requests: readonly Request[]): void {
  const watches = requests.filter(({ verb }) => verb === 'watch')
  expect(new Set(watches.map(({ resource }) => resource))).toEqual(
    new Set(['clustervirtualimages']),
  )
  for (const [index, { began }] of watches.slice(1).entries()) {
    expect(began >= (watches[index]?.ended ?? '~'), 'a watch beside another one').toBe(true)
  }
}

describe.skipIf(!able)(`${total} resources at once`, () => {
  test(
    'all become what they are to become, and one that comes later does not wait for all',
    async () => {
      const ready = () => crowd.in('Ready')
      const creating = crowd.create(all())
      await crowd.until('a quarter of the images', () => ready() >= total / 4, limit)
      const before = ready()
      const other = held.use(await startNeighbour())
      const url = other.serve('/newcomer.img', { bytes: disk(mebibyte, disks) })
      await crowd.create([['newcomer', { type: 'HTTP', http: { url } }]])
      await crowd.until('the newcomer', () => crowd.phaseOf('newcomer') === 'Ready', limit)
      const meanwhile = ready() - before
      await creating
      await crowd.until('all images', () => ready() === total + 1 - uploads, limit)
      await crowd.until('the uploads', () => crowd.in('WaitForUserUpload') === uploads, limit)
      console.log(`${meanwhile} others became Ready while the newcomer did`)
      expect(meanwhile).toBeLessThan(total / 10)
    },
    limit,
  )

  test('cost few requests, over one watch', async () => {
    const requests = await asked()
    console.log(`${requests.length / total} requests a resource: ${tally(requests)}`)
    expect(requests.length / total).toBeLessThan(most)
    expectOneWatch(requests)
  })

  test(
    'leave nothing when they are deleted',
    async () => {
      const path = '/apis/virtualization.deckhouse.io/v1alpha2/clustervirtualimages'
      await cluster.kubectl('delete', '--raw', path)
      await crowd.until('the end of all', () => crowd.size === 0, limit)
      expect(await crowd.list()).toEqual([])
      expect(await service.rest.list()).toMatchObject({ items: [] })
      const requests = await asked()
      console.log(`${requests.length / total} requests a resource with its end: ${tally(requests)}`)
      expect(requests.length / total).toBeLessThan(most)
      const inVain = requests.filter(({ code }) => code !== null && code >= 400)
      expect(inVain.length, tally(inVain)).toBeLessThan(total / 100)
      expectOneWatch(requests)
    },
    limit,
  )

  test.skipIf(!tellsMemory())('never needed much memory', async () => {
    const peak = await peakMemory(companion.pid)
    console.log(`${Math.round(peak / 1024 ** 2)} MiB at most`)
    expect(peak).toBeLessThan(memory)
  })
})
