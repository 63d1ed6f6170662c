import { afterAll, beforeAll, expect, test } from 'vitest'
import { Refusal } from '../../src/errors.ts'
import { ClusterStandIn } from '../support/cluster-stand-in.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { Reconciling } from '../support/reconciling.ts'
import { get, send, uploadUrl } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const bytes = disk(mebibyte)
const patience = { timeout: 20_000, interval: 20 }

async function reaches(api: ClusterStandIn, name: string, phase: string): Promise<void> {
  await expect.poll(() => api.statusOf(name).phase, patience).toBe(phase)
}

let service: Service

beforeAll(async () => {
  service = await startService()
})

afterAll(async () => {
  await service[Symbol.asyncDispose]()
})

test('a resource becomes Ready with all that the service says, in few requests, and goes with its image', async () => {
  await using neighbour = await startNeighbour()
  const api = new ClusterStandIn()
  await using companion = new Reconciling({ api, base: service.base })
  await expect.poll(() => companion.mirror.isSynced, patience).toBe(true)
  const uid = api.apply('one', {
    type: 'HTTP',
    http: { url: neighbour.serve('/one', { bytes }) },
  })
  await reaches(api, 'one', 'Ready')
  const image = await service.rest.image('one')
  expect(image.owner).toEqual({ uid })
  expect(api.statusOf('one')).toEqual({ ...image.status, observedGeneration: 1 })
  expect(api.resource('one')?.metadata.finalizers).toEqual([
    'virtualization.deckhouse.io/cvi-cleanup',
  ])
  expect(api.events).toEqual(['DataSourceImportStarted', 'DataSourceImportCompleted'])
  const asked = api.asked.filter(({ path }) => path.includes('/one') || path.endsWith('/events'))
  expect(asked.length).toBeLessThanOrEqual(7)
  api.delete('one')
  await expect.poll(() => api.resource('one'), patience).toBeNull()
  expect((await get(service.rest.url('/one'))).status).toBe(404)
  expect(companion.failures).toEqual([])
})

test('the image of an earlier resource gives way, one of nobody stays', async () => {
  const api = new ClusterStandIn()
  await service.rest.createUpload('mine')
  await using companion = new Reconciling({ api, base: service.base })
  api.apply('mine', { type: 'Upload' })
  const first = api.apply('again', { type: 'Upload' })
  await reaches(api, 'again', 'WaitForUserUpload')
  await reaches(api, 'mine', 'Pending')
  expect(api.conditionOf('mine')).toMatchObject({ status: 'False' })
  expect(api.conditionOf('mine')?.message).toMatch(/belongs to no resource.*delete it with/)
  expect((await service.rest.image('mine')).owner).toBeUndefined()
  api.deleteByForce('again')
  const second = api.apply('again', { type: 'Upload' })
  expect(second).not.toBe(first)
  const owner = async () => (await service.rest.image('again')).owner?.uid
  await expect.poll(owner, patience).toBe(second)
  await reaches(api, 'again', 'WaitForUserUpload')
  // What a person deletes in the service is made again as long as its resource is there.
  const { uid } = await service.rest.image('again')
  await service.rest.delete('again')
  const other = async () => {
    const { items } = await service.rest.list()
    return items.find(({ name }) => name === 'again')?.uid ?? uid
  }
  await expect.poll(other, patience).not.toBe(uid)
  api.delete('mine')
  await expect.poll(() => api.resource('mine'), patience).toBeNull()
  expect((await service.rest.image('mine')).status.phase).toBe('WaitForUserUpload')
  expect(companion.failures).toEqual([])
})

test('references wait in the companion for as long as the other one is not Ready', async () => {
  const api = new ClusterStandIn()
  await using companion = new Reconciling({ api, base: service.base })
  let conflicts = 0
  api.onRequest = (when) => {
    if (when === 'after' || conflicts === 5) return
    conflicts += 1
    throw new Refusal('CLUSTER_CONFLICT', 'somebody has changed it')
  }
  const refer = (name: string) => ({
    type: 'ObjectRef',
    objectRef: { kind: 'ClusterVirtualImage', name },
  })
  api.apply('c', refer('b'))
  api.apply('b', refer('a'))
  api.apply('x', refer('y'))
  api.apply('y', refer('x'))
  await reaches(api, 'c', 'Pending')
  await expect
    .poll(() => api.conditionOf('b', 'DatasourceReady')?.reason, patience)
    .toBe('ClusterImageNotReady')
  expect(api.conditionOf('b')?.message).toMatch(/there is no ClusterVirtualImage "a"/)
  await expect
    .poll(() => api.conditionOf('x')?.message, patience)
    .toMatch(/lead from "y" back here/)
  const ours = async () => (await service.rest.names()).filter((name) => name.length === 1)
  expect(await ours()).toEqual([])
  const a = api.apply('a', { type: 'Upload' })
  await reaches(api, 'a', 'WaitForUserUpload')
  await expect
    .poll(() => api.conditionOf('b')?.message, patience)
    .toMatch(/"a" is WaitForUserUpload/)
  await send(uploadUrl(await service.rest.image('a')), bytes)
  await reaches(api, 'c', 'Ready')
  expect(api.statusOf('b')['sourceUID']).toBe(a)
  expect(api.statusOf('c')['sourceUID']).toBe(api.resource('b')?.metadata.uid)
  expect(await ours()).toEqual(['a', 'b', 'c'])
  expect(conflicts).toBe(5)
  expect(companion.failures).toEqual([])
})
