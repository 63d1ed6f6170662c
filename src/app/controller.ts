import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Rest } from '../client/rest.ts'
import { tokenSource } from '../client/token.ts'
import type { CompanionSettings, Listen } from '../env.ts'
import { asFailure } from '../errors.ts'
import type { Log } from '../log.ts'
import { ClusterVirtualImages } from '../sync/cluster-virtual-image.ts'
import { Health } from '../sync/health.ts'
import { Connection } from '../kube/connection.ts'
import { Informer } from '../sync/kube/informer.ts'
import { Leader } from '../sync/leader.ts'
import { CompanionMetrics } from '../sync/metrics.ts'
import { Mirror } from '../sync/mirror.ts'
import { WorkQueue } from '../sync/queue.ts'
import { readinessOf } from '../sync/readiness.ts'
import {
  clusterVirtualImageSchema,
  resourcesPath,
  type ClusterVirtualImage,
} from '../sync/resource.ts'
import { rounds } from '../sync/rounds.ts'
import { together } from '../sync/together.ts'
import { untraced, type Named, type Traces } from '../traces.ts'
import { openMachineClasses } from './machine-classes.ts'
import { programVersion, userAgent } from './version.ts'
import { openAdmission } from './webhook.ts'

/** The companion, from its first request to its last one. */
export type Controller = AsyncDisposable & {
  /** Of health and metrics. */
  readonly address: Listen
  /** Of the webhook; null when there is none. */
  readonly webhook: Listen | null
  /** Where the API server is, and the service. */
  readonly server: string
  readonly service: string
  /** Rejects when it cannot go on; resolves after `stop`. */
  readonly ended: Promise<void>
  /** Ends all work, writes no more, and gives the Lease back. The webhook answers on until the end of everything. */
  stop(): Promise<void>
}

export const usualService = 'http://127.0.0.1:8080'
type Resources = Informer<ClusterVirtualImage>

/**
 * @throws Refusal UNSUPPORTED when it is not known where the API server is, an address is taken, or the mounted certificate of
 * the webhook cannot be used
 */
export async function openController(
  settings: CompanionSettings,
  log: Log,
  traces: Traces = untraced,
): Promise<Controller> {
  await using undo = new AsyncDisposableStack()
  const metrics = new CompanionMetrics()
  metrics.addProcess(programVersion())
  const api = undo.use(connect(settings, metrics))
  const ground = { api, log, now: Date.now, random: Math.random }
  const resources = new Informer({
    ...ground,
    path: resourcesPath,
    schema: clusterVirtualImageSchema,
  })
  const rest = restOf(settings)
  const mirror = new Mirror({ ...ground, rest })
  const queue = undo.use(openQueue(bornIn(resources), metrics, log))
  const onUnreported = () => metrics.unreported.inc()
  const { workers } = settings
  const namespace = namespaceOf(settings, api)
  const ofClasses = undo.use(openQueue(() => 0, metrics, log))
  const classes = openMachineClasses({
    ...ground,
    onUnreported,
    queue: ofClasses,
    workers,
    namespace,
    admitted: async (signal) => await webhook?.certified(signal),
  })
  const around = { ...ground, rest, mirror, resources, queue, onUnreported }
  const images = new ClusterVirtualImages(around)
  const leader = openLeader(namespace, api, log)
  const stopping = new AbortController()
  const isStopping = () => stopping.signal.aborted
  const admitted = { ...ground, namespace, metrics, resources: classes.resources }
  const webhook = undo.use(await openAdmission(settings, admitted))
  const others = classes.asked
  const readiness = () => readinessOf({ resources, others, leader, mirror, webhook, isStopping })
  metrics.levelsFrom(() => ({
    depth: queue.depth + ofClasses.depth,
    isLeading: leader.isLeading,
    isSynced: resources.isSynced,
  }))
  const health = undo.use(await Health.open(settings.controllerListen, { metrics, readiness, log }))
  const leadImages = (signal: AbortSignal) =>
    rounds(
      {
        queue,
        workers,
        work: (name, until) =>
          traces.within(reconciling(name), () => images.reconcile(name, until)),
        names: () => namesOf(resources),
        follow: () => ({ [Symbol.dispose]: images.watch() }),
        listen: (until) => mirror.run(until),
      },
      signal,
    )
  const lead = (signal: AbortSignal) => together([leadImages, classes.lead], signal)
  const know = (signal: AbortSignal) => resources.run(signal)
  const stand = (signal: AbortSignal) => leader.run(lead, signal)
  const certify = async (signal: AbortSignal) => await webhook?.certify(signal)
  const ended = together([know, classes.know, certify, stand], stopping.signal)
  const held = undo.move()
  return {
    address: health.address,
    webhook: webhook?.address ?? null,
    server: api.server,
    service: settings.url ?? usualService,
    ended,
    async stop() {
      stopping.abort()
      await ended
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** A resource's work as a span. */
function reconciling(name: string): Named {
  const attributes = { 'k8s.resource.kind': 'ClusterVirtualImage', 'k8s.resource.name': name }
  return { name: 'reconcile', kind: 'internal', attributes }
}

function* namesOf(resources: Resources): Generator<string> {
  for (const { metadata } of resources.items()) yield metadata.name
}

function connect({ kubeconfig }: CompanionSettings, { requests }: CompanionMetrics): Connection {
  const onAnswer = (verb: string, code: string) => requests.inc({ verb, code })
  return new Connection({ kubeconfig, userAgent: userAgent(), onAnswer })
}

function restOf(settings: CompanionSettings): Rest {
  const base = settings.url ?? usualService
  return new Rest({ base, token: tokenSource(settings), userAgent: userAgent() })
}

function openQueue(
  bornAt: (name: string) => number,
  { reconcileSeconds, reconcileErrors }: CompanionMetrics,
  log: Log,
): WorkQueue {
  return new WorkQueue({
    random: Math.random,
    bornAt,
    onWork: (seconds) => reconcileSeconds.observe(seconds),
    onFailure: (resource, error) => {
      reconcileErrors.inc()
      const failure = asFailure(error)
      const level = failure.row.kind === 'bug' ? 'error' : 'info'
      log[level]({ err: failure, resource }, 'a resource is looked at again later')
    },
  })
}

function bornIn(resources: Resources): (name: string) => number {
  return (name) => Date.parse(resources.get(name)?.metadata.creationTimestamp ?? '') || 0
}

/** Where the companion keeps what is its own. */
function namespaceOf({ leaderNamespace }: CompanionSettings, { namespace }: Connection): string {
  return leaderNamespace ?? namespace ?? 'default'
}

function openLeader(namespace: string, api: Connection, log: Log): Leader {
  const identity = `${hostname()}_${randomUUID()}`
  return new Leader({ api, namespace, identity, log, now: Date.now })
}
