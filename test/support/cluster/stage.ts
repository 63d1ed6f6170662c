import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../bench/peers/server.ts'
import { startNeighbour, type Neighbour } from '../http-neighbour.ts'
import { startService, type Service, type Variables } from '../service.ts'
import { Api } from './api.ts'
import { startCluster, type Cluster } from './cluster.ts'
import { Companion, startCompanion, type CompanionOptions } from './companion.ts'
import { Crossing } from './crossing.ts'
import { Resources } from './resources.ts'

const lease = '/apis/coordination.k8s.io/v1/namespaces/default/leases/slipway-controller'

/** A cluster and a service with the crossing before both, a server of images, and whoever watches it all. */
export type Stage = AsyncDisposable & {
  readonly cluster: Cluster
  readonly api: Api
  readonly resources: Resources
  readonly service: Service
  readonly neighbour: Neighbour
  readonly crossing: Crossing
  /** Resolves when it is ready. */
  startCompanion(variables?: Variables): Promise<Companion>
  /** One that is still to be launched. */
  newCompanion(): Promise<Companion>
  /** As if the Lease of a process that was killed had run out. */
  forgetLeader(): Promise<void>
}

export async function openStage(variables: Variables = {}): Promise<Stage> {
  await using undo = new AsyncDisposableStack()
  const cluster = undo.use(await startCluster())
  await cluster.applyCrds()
  const api = undo.use(await Api.open(cluster))
  const neighbour = undo.use(await startNeighbour())
  const service = undo.use(await startService(variables))
  const ca = await readFile(cluster.ca)
  const crossing = undo.use(
    await Crossing.open({ cluster: () => ({ base: cluster.server, ca }), service: () => service }),
  )
  const resources = undo.use(await Resources.watch(api))
  const kubeconfig = join(cluster.folder, 'crossing.kubeconfig')
  await writeFile(kubeconfig, throughPlainHttp(crossing.base('cluster'), api.token))
  const optionsWith = (variables: Variables): CompanionOptions => ({
    kubeconfig,
    service: crossing.base('service'),
    variables: { SLIPWAY_LEADER_NAMESPACE: 'default', ...variables },
  })
  const companions = undo.use(new AsyncDisposableStack())
  const kept = undo.move()
  return {
    cluster,
    api,
    resources,
    service,
    neighbour,
    crossing,
    async startCompanion(variables = {}) {
      return companions.use(await startCompanion(optionsWith(variables)))
    },
    async newCompanion() {
      return companions.use(new Companion(await freePort(), optionsWith({})))
    },
    async forgetLeader() {
      await api.ask(lease, { method: 'DELETE' })
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** Plain HTTP is taken only by who says that nothing is verified. */
function throughPlainHttp(server: string, token: string): string {
  const cluster = { server, 'insecure-skip-tls-verify': true }
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  })
}
