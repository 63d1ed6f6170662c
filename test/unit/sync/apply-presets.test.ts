import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { Outage, Refusal } from '../../../src/errors.ts'
import { applyPresets } from '../../../src/sync/apply-presets.ts'
import { readPresets } from '../../../src/sync/presets.ts'
import { ClusterStandIn } from '../../support/cluster-stand-in.ts'
import { classesPath } from '../../support/reconciling-classes.ts'

const configMap = '/api/v1/namespaces/slipway/configmaps/slipway-presets'
const names = ['generic', 'host', 'host-passthrough']
const never = new AbortController().signal

function apply(api: ClusterStandIn, presets = readPresets): Promise<void> {
  const log = pino({ level: 'silent' })
  const options = {
    api,
    namespace: 'slipway',
    presets,
    admitted: async () => {},
    log,
    now: () => 0,
    random: () => 0,
  }
  return applyPresets(options, never)
}

function there(api: ClusterStandIn): string[] {
  return names.filter((name) => api.at(`${classesPath}/${name}`) !== null)
}

function recordedIn(api: ClusterStandIn): string[] {
  return Object.keys(api.at(configMap)?.['data'] ?? {}).sort()
}

/** As a policy of the cluster may do. */
function refuseCreation(api: ClusterStandIn, name: string): () => void {
  const create = api.create.bind(api)
  api.create = (path, body, signal) => {
    const { metadata } = body as { metadata: { name: string } }
    if (metadata.name === name) throw new Refusal('CLUSTER_REFUSED', 'against the rules')
    return create(path, body, signal)
  }
  return () => void (api.create = create)
}

test('the presets are applied, and their names are kept', async () => {
  const api = new ClusterStandIn()
  await apply(api)
  expect(there(api)).toEqual(names)
  expect(recordedIn(api)).toEqual(names)
})

test('a preset that was deleted since does not come back', async () => {
  const api = new ClusterStandIn()
  await apply(api)
  api.deleteByForce('host', classesPath)
  await apply(api)
  expect(there(api)).toEqual(['generic', 'host-passthrough'])
})

test('a class that somebody made under the name of a preset stays as it is', async () => {
  const api = new ClusterStandIn()
  api.put(`${classesPath}/host`, { spec: { own: true } })
  await apply(api)
  expect(api.at(`${classesPath}/host`)).toMatchObject({ spec: { own: true } })
  expect(recordedIn(api)).toEqual(names)
})

test('a preset that comes with a newer version is applied beside those of before', async () => {
  const api = new ClusterStandIn()
  const all = await readPresets()
  await apply(api, () => Promise.resolve(all.slice(0, 2)))
  api.deleteByForce('generic', classesPath)
  await apply(api)
  expect(there(api)).toEqual(['host', 'host-passthrough'])
})

test('a crash before the names are kept brings no preset back that is there', async () => {
  const api = new ClusterStandIn()
  const crash = api.refuse(/^create .*configmaps/, new Outage('CLUSTER_UNAVAILABLE', 'gone'))
  const stop = new AbortController()
  api.onRequest = (when) => {
    if (when === 'after' && there(api).length === names.length) stop.abort()
  }
  const log = pino({ level: 'silent' })
  const ground = { api, namespace: 'slipway', presets: readPresets, admitted: async () => {}, log }
  await applyPresets({ ...ground, now: () => 0, random: () => 0 }, stop.signal)
  expect(api.at(configMap)).toBeNull()
  crash()
  api.onRequest = () => undefined
  await apply(api)
  expect(there(api)).toEqual(names)
})

test('one that is refused keeps no other from being applied, nor brings it back', async () => {
  const api = new ClusterStandIn()
  const allow = refuseCreation(api, 'host')
  const applying = apply(api)
  await vi.waitFor(() => expect(recordedIn(api)).toEqual(['generic', 'host-passthrough']), 10_000)
  api.deleteByForce('generic', classesPath)
  allow()
  await applying
  expect(there(api)).toEqual(['host', 'host-passthrough'])
  expect(recordedIn(api)).toEqual(names)
})

test('what is refused is tried again', async () => {
  const api = new ClusterStandIn()
  const allow = api.refuse(/^create .*classes$/, new Refusal('CLUSTER_NOT_FOUND', 'no such kind'))
  const applying = apply(api)
  await vi.waitFor(() => expect(api.asked.map(({ verb }) => verb)).toContain('create'), 10_000)
  allow()
  await applying
  expect(there(api)).toEqual(names)
})

test('nothing is applied before the webhook can be asked about it', async () => {
  const api = new ClusterStandIn()
  const [asked, ready] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const admitted = async () => {
    asked.resolve()
    await ready.promise
  }
  const log = pino({ level: 'silent' })
  const ground = { api, namespace: 'slipway', presets: readPresets, log }
  const applied = applyPresets({ ...ground, admitted, now: () => 0, random: () => 0 }, never)
  await asked.promise
  expect(api.asked).toEqual([])
  ready.resolve()
  await applied
  expect(there(api)).toEqual(names)
})
