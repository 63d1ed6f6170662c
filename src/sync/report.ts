import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { Refusal } from '../errors.ts'
import type { ClusterApi, Metadata } from '../kube/cluster-api.ts'
import type { Log } from '../log.ts'

/** What is told as an event of the cluster. */
export type Occurrence = {
  readonly reason: string
  readonly type: 'Normal' | 'Warning'
  readonly message: string
  /** The same for the same occurrence, however often it is looked at. */
  readonly key: string
}

/** Whom it happened to. */
export type Concerned = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Metadata
}

type Around = {
  readonly api: Pick<ClusterApi, 'create'>
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Told of each event of the cluster that could not be written. */
  readonly onUnreported?: () => void
}

/** Events of what belongs to no namespace are kept there. */
const namespace = 'default'
const component = 'slipway-controller'
/** Characters of a message (Kubernetes, Event: a note has at most 1 kB). */
const longest = 1000

/**
 * Tells of occurrences as events of the cluster, each under a name of its own, so that whoever tells of it again after a
 * crash makes no second one, and those in `told` not again. An event that may not be written is logged and counted, and keeps
 * nothing else from being done.
 * @throws Outage CLUSTER_UNAVAILABLE
 */
export async function report(
  concerned: Concerned,
  occurrences: readonly Occurrence[],
  told: Set<string>,
  around: Around,
  signal: AbortSignal,
): Promise<void> {
  for (const occurrence of occurrences) {
    const name = nameOf(concerned.metadata, occurrence)
    if (!told.has(name)) await tell(concerned, occurrence, around, signal)
    told.add(name)
  }
}

async function tell(
  concerned: Concerned,
  occurrence: Occurrence,
  { api, log, now, onUnreported }: Around,
  signal: AbortSignal,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/events`
  try {
    await api.create(path, eventOf(concerned, occurrence, now()), signal)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    if (error.code === 'CLUSTER_EXISTS') return
    const { kind, metadata } = concerned
    const { name } = metadata
    log.warn({ err: error, kind, name, event: occurrence.reason }, 'an event was not written')
    onUnreported?.()
  }
}

function eventOf(
  { apiVersion, kind, metadata }: Concerned,
  occurrence: Occurrence,
  now: number,
): object {
  const { name, uid, resourceVersion } = metadata
  const { reason, type, message } = occurrence
  const time = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z')
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: nameOf(metadata, occurrence), namespace },
    involvedObject: { apiVersion, kind, name, uid, resourceVersion },
    type,
    reason,
    message: message.length > longest ? `${message.slice(0, longest)}…` : message,
    source: { component },
    reportingComponent: component,
    reportingInstance: hostname(),
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  }
}

/** Of the resource's name, so that there is room for what follows (Kubernetes: 253). */
const longestName = 200

/** A name ends in a letter or a digit, also before a dot. */
function nameOf({ name, uid }: Metadata, { reason, key }: Occurrence): string {
  const hash = createHash('sha256').update(`${uid} ${reason} ${key}`).digest('hex')
  return `${name.slice(0, longestName).replace(/[-.]+$/, '')}.${hash.slice(0, 16)}`
}
