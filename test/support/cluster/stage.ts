import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../bench/peers/server.ts'
import { startNeighbour, type Neighbour } from '../http-neighbour.ts'
import { startService, type Service, type Variables } from '../service.ts'
import { Api } from './api.ts'
import { startCluster, type Cluster } from './cluster.ts'
import { Companion, startCompanion, type CompanionOptions } from './companion.ts'
import { Crossing, type Side } from './crossing.ts'
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
  /** Resolves when it is ready. @param doors where it finds a side that it does not find at the crossing */
  startCompanion(variables?: Variables, doors?: Doors): Promise<Companion>
  /** One that is still to be launched. */
  newCompanion(): Promise<Companion>
  /** As if the Lease of a process that was killed had run out. */
  forgetLeader(): Promise<void>
}

type Doors = { readonly [side in Side]?: string }

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
  const optionsWith = async (variables: Variables, doors: Doors): Promise<CompanionOptions> => {
    const { cluster: server = crossing.base('cluster') } = doors
    const kubeconfig = join(cluster.folder, `${new URL(server).port}.kubeconfig`)
    await writeFile(kubeconfig, throughPlainHttp(server, api.token))
    return {
      kubeconfig,
      service: doors.service ?? crossing.base('service'),
      variables: { SLIPWAY_LEADER_NAMESPACE: 'default', ...variables },
    }
  }
  const companions = undo.use(new AsyncDisposableStack())
  const kept = undo.move()
  return {
    cluster,
    api,
    resources,
    service,
    neighbour,
    crossing,
    async startCompanion(variables = {}, doors = {}) {
      return companions.use(await startCompanion(await optionsWith(variables, doors)))
    },
    async newCompanion() {
      return companions.use(new Companion(await freePort(), await optionsWith({}, {})))
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
