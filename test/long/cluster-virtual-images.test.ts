import { expect, test } from 'vitest'
import { Outage, Refusal } from '../../src/errors.ts'
import { ClusterStandIn } from '../support/cluster-stand-in.ts'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { forever, startNeighbour } from '../support/http-neighbour.ts'
import { Reconciling } from '../support/reconciling.ts'
import { get, send, uploadUrl } from '../support/rest.ts'
import { startService } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const bytes = disk(mebibyte)
const patience = { timeout: 20_000, interval: 20 }

async function reaches(api: ClusterStandIn, name: string, phase: string): Promise<void> {
  await expect.poll(() => api.statusOf(name).phase, patience).toBe(phase)
}

test('a failure, an upload and what the service refuses are told', async () => {
  await using neighbour = await startNeighbour()
  await using service = await startService({ SLIPWAY_UPLOAD_TTL: '2s' })
  const api = new ClusterStandIn()
  await using companion = new Reconciling({ api, base: service.base })
  api.apply('missing', { type: 'HTTP', http: { url: neighbour.serve('/x', { status: 404 }) } })
  api.apply('late', { type: 'Upload' })
  api.apply('refused', { type: 'HTTP', http: { url: 'ftp://x/' } })
  api.apply('foreign', { type: 'ObjectRef', objectRef: { kind: 'VirtualDisk', name: 'x' } })
  await reaches(api, 'late', 'WaitForUserUpload')
  expect(api.statusOf('late')['uploadCommand']).toMatch(/^curl http.* -T example.iso$/)
  await reaches(api, 'missing', 'Failed')
  expect(api.conditionOf('missing')?.message).toMatch(/404/)
  await reaches(api, 'refused', 'Failed')
  expect(api.conditionOf('refused')?.message).toMatch(/http or https URL/)
  expect((await get(service.rest.url('/refused'))).status).toBe(404)
  await reaches(api, 'foreign', 'Failed')
  const source = api.conditionOf('foreign', 'DatasourceReady')
  expect(source).toMatchObject({ status: 'False', reason: 'DatasourceNotReady' })
  expect(source?.message).toMatch(/need the platform's own controllers/)
  await reaches(api, 'late', 'Failed')
  expect(api.statusOf('late')).not.toHaveProperty('uploadCommand')
  expect(api.events.toSorted()).toEqual([
    ...Array.from({ length: 3 }, () => 'DataSourceImportFailed'),
    'DataSourceImportStarted',
    'UploadTimeout',
  ])
  await service.rest.retry('late')
  await reaches(api, 'late', 'WaitForUserUpload')
  await send(uploadUrl(await service.rest.image('late')), bytes)
  await reaches(api, 'late', 'Ready')
  for (const name of ['missing', 'late', 'refused', 'foreign']) api.delete(name)
  await expect.poll(() => api.resource('late') ?? api.resource('refused'), patience).toBeNull()
  await expect.poll(async () => (await service.rest.list()).items, patience).toEqual([])
  expect(companion.failures).toEqual([])
})

test('while the service is away nothing fails, and what was said returns', async () => {
  await using neighbour = await startNeighbour()
  await using service = await startService()
  const api = new ClusterStandIn()
  const { port } = new URL(service.base)
  await using companion = new Reconciling({ api, base: service.base, lostAfter: 300 })
  api.apply('held', { type: 'HTTP', http: { url: neighbour.serve('/held', { bytes }) } })
  api.apply('leaving', { type: 'Upload' })
  await reaches(api, 'held', 'Ready')
  await reaches(api, 'leaving', 'WaitForUserUpload')
  const before = structuredClone(api.statusOf('held'))
  await service.kill()
  await expect.poll(() => api.conditionOf('held')?.status, patience).toBe('Unknown')
  expect(api.statusOf('held')).toMatchObject({
    ...before,
    conditions: [
      { type: 'DatasourceReady', status: 'True' },
      { type: 'Ready', status: 'Unknown', reason: 'ServiceUnavailable' },
    ],
  })
  expect(companion.mirror.isAway).toBe(true)
  api.apply('new', { type: 'HTTP', http: { url: neighbour.url('/held') } })
  api.delete('leaving')
  await expect.poll(() => api.conditionOf('new')?.reason, patience).toBe('ServiceUnavailable')
  await expect
    .poll(() => api.conditionOf('leaving')?.message, patience)
    .toMatch(/cannot be deleted, and is tried again: the image service cannot be reached/)
  expect(api.statusOf('leaving').phase).toBe('Terminating')
  await service.start({ SLIPWAY_LISTEN: `127.0.0.1:${port}` })
  await expect.poll(() => api.statusOf('held'), patience).toEqual(before)
  await reaches(api, 'new', 'Ready')
  await expect.poll(() => api.resource('leaving'), patience).toBeNull()
  expect(await service.rest.names()).toEqual(['held', 'new'])
  expect(api.events.filter((reason) => /Failed|Lost/.test(reason))).toEqual([])
})

test('credentials and secrets are asked for by name, and their faults are told', async () => {
  await using neighbour = await startNeighbour()
  await using folder = await temporaryFolder()
  const paths = await writeCallers(folder.path)
  await using service = await startService({ SLIPWAY_TOKENS_FILE: paths.tokens })
  const api = new ClusterStandIn()
  const url = neighbour.serve('/secret', { bytes })
  const secretRef = { namespace: 'team', name: 'source' }
  {
    const options = { api, base: service.base, token: tokenOf('viewer') }
    await using companion = new Reconciling(options)
    api.apply('viewed', { type: 'Upload' })
    await expect
      .poll(() => api.conditionOf('viewed')?.message, patience)
      .toMatch(/refuses the companion.*editor.*SLIPWAY_TOKEN/)
    expect(companion.failures).toEqual([])
  }
  const unallowed = api.refuse(/secrets\/hidden/, new Refusal('CLUSTER_REFUSED', 'forbidden'))
  const unwritten = api.refuse(/^create .*events$/, new Refusal('CLUSTER_REFUSED', 'forbidden'))
  let unreported = 0
  const options = { api, base: service.base, token: tokenOf('editor') }
  await using companion = new Reconciling({ ...options, onUnreported: () => (unreported += 1) })
  await reaches(api, 'viewed', 'WaitForUserUpload')
  api.apply('basic', { type: 'HTTP', http: { url, secretRef } })
  const hidden = { namespace: 'team', name: 'hidden' }
  api.apply('hidden', {
    type: 'ContainerImage',
    containerImage: { image: 'registry.example.com/x:1', imagePullSecret: hidden },
  })
  await expect
    .poll(() => api.conditionOf('basic', 'DatasourceReady')?.message, patience)
    .toMatch(/there is no secret "source" in the namespace "team"; create it/)
  await expect
    .poll(() => api.conditionOf('hidden', 'DatasourceReady'), patience)
    .toMatchObject({ reason: 'ContainerRegistrySecretNotFound', status: 'False' })
  expect(api.conditionOf('hidden')?.message).toMatch(/may not be read by Slipway \(forbidden\)/)
  unallowed()
  api.putSecret('team', 'source', { username: 'me\n', password: 'hush\n' })
  await reaches(api, 'basic', 'Ready')
  const login = Buffer.from('me:hush').toString('base64')
  expect(neighbour.requests[0]?.headers.authorization).toBe(`Basic ${login}`)
  expect(unreported).toBe(2)
  unwritten()
  const down = api.refuse(/status$/, new Outage('CLUSTER_UNAVAILABLE', 'the API server is away'))
  const pause = { at: mebibyte / 2, until: forever }
  api.apply('slow', { type: 'HTTP', http: { url: neighbour.serve('/slow', { bytes, pause }) } })
  await expect.poll(() => companion.failures.length, patience).toBeGreaterThan(2)
  down()
  await reaches(api, 'slow', 'Provisioning')
  const told = api.asked.filter(
    ({ path, body }) => path.endsWith('/events') && JSON.stringify(body).includes('"slow"'),
  )
  expect(told).toHaveLength(1)
})
