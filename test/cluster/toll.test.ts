import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startToll, type Toll } from '../support/cluster/toll.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { needs } from '../support/programs.ts'
import { get } from '../support/rest.ts'

const able = [needsCluster(), needs('openssl', 'apt-get install openssl')].every(Boolean)

describe.skipIf(!able)('what stands between the companion and both sides', () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let service: Neighbour
  let toll: Toll
  let kubeconfig: string

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    service = held.use(await startNeighbour())
    toll = held.use(
      await startToll({
        cluster,
        service: () => service.url(''),
        counts: ({ method }) => method !== 'GET',
      }),
    )
    await cluster.kubectl('create', 'serviceaccount', 'companion', '-n', 'default')
    const rules = ['--verb=create', '--resource=configmaps']
    await cluster.kubectl('create', 'clusterrole', 'companion', ...rules)
    const [role, subject] = ['--clusterrole=companion', '--serviceaccount=default:companion']
    await cluster.kubectl('create', 'clusterrolebinding', 'companion', role, subject)
    const token = await cluster.serviceAccountToken('default', 'companion')
    kubeconfig = await cluster.kubeconfigFor(token, toll.cluster)
  })
  afterAll(() => held.disposeAsync())

  const create = (name: string) =>
    cluster.attemptKubectl(['create', 'configmap', name, '-n', 'default'], { kubeconfig })
  const isThere = async (name: string) =>
    (await cluster.attemptKubectl(['get', 'configmap', name, '-n', 'default'])).code === 0

  test('lets everything pass, and counts what is asked for', async () => {
    expect(await create('first')).toMatchObject({ code: 0 })
    service.serve('/api', { size: 3 })
    const answer = await get(`${toll.service}/api?x=1`)
    expect((await answer.arrayBuffer()).byteLength).toBe(3)
    expect(toll.passed.map(({ side, method }) => [side, method])).toEqual([['cluster', 'POST']])
  })

  test.each([
    { when: 'before', arrives: false },
    { when: 'after', arrives: true },
  ] as const)('stops a request $when the other side has it', async ({ when, arrives }) => {
    const acted: string[] = []
    const stopped = toll.stopAt(1, when, async () => acted.push(when))
    expect(await create(when)).not.toMatchObject({ code: 0 })
    await stopped
    expect(acted).toEqual([when])
    expect(await isThere(when)).toBe(arrives)
  })
})
