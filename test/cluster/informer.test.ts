import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { metadataSchema } from '../../src/kube/cluster-api.ts'
import { Connection } from '../../src/kube/connection.ts'
import { Informer } from '../../src/sync/kube/informer.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { needs } from '../support/programs.ts'

const able = [needsCluster(), needs('openssl', 'apt-get install openssl')].every(Boolean)
const path = '/api/v1/namespaces/default/configmaps'
const signal = new AbortController().signal
const schema = z.object({
  metadata: metadataSchema,
  data: z.record(z.string(), z.string()).default({}),
})
const until = (holds: () => void) => vi.waitFor(holds, { timeout: 60_000, interval: 20 })

let cluster: Cluster

beforeAll(async () => {
  if (able) cluster = await startCluster()
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

function connect(userAgent: string, kubeconfig = cluster.kubeconfig): Connection {
  return new Connection({ kubeconfig: [kubeconfig], userAgent })
}

/** Over the configmaps of a namespace, whose values of `v` it tells. */
async function inform(userAgent: string) {
  await using undo = new AsyncDisposableStack()
  const api = undo.use(connect(userAgent))
  const ground = { api, log: pino({ level: 'silent' }), now: Date.now, random: Math.random }
  const informer = new Informer({ ...ground, path, schema })
  const stop = new AbortController()
  const ended = informer.run(stop.signal)
  undo.defer(async () => {
    stop.abort()
    await ended
  })
  const values = () =>
    Object.fromEntries(
      [...informer.items()].map(({ metadata, data }) => [metadata.name, data['v']]),
    )
  const asked = async () => {
    const all = await cluster.audit()
    return all.filter(({ agent }) => agent === userAgent).map(({ verb, code }) => `${verb} ${code}`)
  }
  const held = undo.move()
  return { api, informer, values, asked, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

const put = (name: string, v: string) =>
  cluster.apply(
    JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { v } }),
  )

describe.skipIf(!able)('the informer of a real API server', () => {
  test('knows what there is and what happens, by one list and one watch', async () => {
    await put('one', '1')
    await using opened = await inform('slipway-quiet')
    await until(() => expect(opened.values()).toMatchObject({ one: '1' }))
    await put('one', '2')
    await put('two', '1')
    await until(() => expect(opened.values()).toMatchObject({ one: '2', two: '1' }))
    await cluster.kubectl('delete', 'configmap', 'two')
    await until(() => expect(opened.values()).not.toHaveProperty('two'))
    expect(await opened.asked()).toEqual(['list 200', 'watch 200'])
  })

  test('goes through two crashes of the API server, and misses nothing', async () => {
    await put('steady', '1')
    await using opened = await inform('slipway-outage')
    await until(() => expect(opened.values()).toMatchObject({ steady: '1' }))
    for (const v of ['2', '3']) {
      await cluster.stopApiServer()
      await until(() => expect(opened.informer.trouble).toContain('does not answer'))
      expect(opened.values()).toHaveProperty('steady')
      await cluster.startApiServer()
      await put('steady', v)
      await put(`fresh-${v}`, v)
      await until(() => expect(opened.values()).toMatchObject({ steady: v, [`fresh-${v}`]: v }))
    }
    expect(opened.informer.trouble).toBeNull()
  })

  test('lists again when what it would go on from is kept no more', async () => {
    await put('old', '1')
    await using opened = await inform('slipway-expired')
    await until(() => expect(opened.values()).toMatchObject({ old: '1' }))
    // A server that has just been started remembers nothing of what was before, and says 410 to who asks for it.
    await cluster.stopApiServer()
    await cluster.startApiServer()
    await cluster.kubectl('delete', 'configmap', 'old')
    await until(() => expect(opened.values()).not.toHaveProperty('old'))
    const asked = await opened.asked()
    expect(asked.filter((one) => one.startsWith('list 200')).length).toBeLessThanOrEqual(2)
  })

  test('learns the answers to its own writes at once', async () => {
    await put('mine', '1')
    await using opened = await inform('slipway-writes')
    const { api, informer, values } = opened
    await until(() => expect(values()).toMatchObject({ mine: '1' }))
    const answer = await api.patch(`${path}/mine`, 'merge', { data: { v: '2' } }, {}, signal)
    informer.learn(schema.parse(answer))
    expect(values()).toMatchObject({ mine: '2' })
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'mine' },
      data: { v: '3' },
    }
    const query = { fieldManager: 'slipway', force: 'true' }
    informer.learn(schema.parse(await api.patch(`${path}/mine`, 'apply', body, query, signal)))
    expect(values()).toMatchObject({ mine: '3' })
  })

  test('tells refusals of the real server apart', async () => {
    await using api = connect('slipway-refused')
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'once' } }
    const made = schema.parse(await api.create(path, object, signal))
    const code = (code: string) => expect.objectContaining({ code })
    await expect(api.create(path, object, signal)).rejects.toEqual(code('CLUSTER_EXISTS'))
    await expect(api.get(`${path}/never`, {}, signal)).rejects.toEqual(code('CLUSTER_NOT_FOUND'))
    await expect(api.get('/apis/no.such/v1/things', { limit: '1' }, signal)).rejects.toEqual(
      code('CLUSTER_NOT_FOUND'),
    )
    await api.patch(`${path}/once`, 'merge', { data: { v: '1' } }, {}, signal)
    const stale = { metadata: { resourceVersion: made.metadata.resourceVersion }, data: { v: '2' } }
    const late = api.patch(`${path}/once`, 'merge', stale, {}, signal)
    await expect(late).rejects.toEqual(code('CLUSTER_CONFLICT'))
    const other = { ...object, metadata: { name: 'once', uid: 'other' } }
    const query = { fieldManager: 'slipway', force: 'true' }
    const mistaken = api.patch(`${path}/once`, 'apply', other, query, signal)
    await expect(mistaken).rejects.toEqual(code('CLUSTER_CONFLICT'))
    const expired = { limit: '1', continue: 'bm9uc2Vuc2U' }
    await expect(api.get(path, expired, signal)).rejects.toEqual(code('CLUSTER_REFUSED'))
  })

  test('goes on when its token is replaced in its file', async () => {
    await makeReader()
    const tokenFile = join(cluster.folder, 'rotated')
    await writeFile(tokenFile, await cluster.serviceAccountToken('default', 'reader'))
    await using api = connect('slipway-rotated', await configFor(tokenFile))
    const uid = await whoAmI(api)
    // The token of an account that was made anew is another one, and the old one is worth nothing.
    await cluster.kubectl('delete', 'serviceaccount', 'reader')
    await cluster.kubectl('create', 'serviceaccount', 'reader')
    await writeFile(tokenFile, await cluster.serviceAccountToken('default', 'reader'))
    await vi.waitFor(async () => expect(await whoAmI(api)).not.toBe(uid), {
      timeout: 60_000,
      interval: 200,
    })
  })
})

async function makeReader(): Promise<void> {
  await cluster.kubectl('create', 'serviceaccount', 'reader')
}

async function configFor(tokenFile: string): Promise<string> {
  const config = JSON.parse(await readFile(cluster.kubeconfig, 'utf8')) as object
  const user = { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } }
  const file = join(cluster.folder, 'rotated.kubeconfig')
  await writeFile(file, JSON.stringify({ ...config, users: [{ name: 'test', user }] }))
  return file
}

const reviewSchema = z.object({ status: z.object({ userInfo: z.object({ uid: z.string() }) }) })

async function whoAmI(api: Connection): Promise<string> {
  const kind = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  const answer = await api.create('/apis/authentication.k8s.io/v1/selfsubjectreviews', kind, signal)
  return reviewSchema.parse(answer).status.userInfo.uid
}
