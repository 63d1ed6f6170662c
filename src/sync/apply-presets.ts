import { z } from 'zod'
import { asFailure, Refusal, type Failure } from '../errors.ts'
import { checked } from '../kube/answers.ts'
import type { ClusterApi } from '../kube/cluster-api.ts'
import type { Log } from '../log.ts'
import { backoff, pause } from '../client/pause.ts'
import type { Preset } from './presets.ts'
import { virtualMachineClass } from './virtual-machine-class/resource.ts'

export type PresetsOptions = {
  readonly api: ClusterApi
  /** Where it is kept which presets were applied. */
  readonly namespace: string
  readonly presets: () => Promise<readonly Preset[]>
  /** Resolves when this process can be asked about them by the API server, or when the signal ends. */
  readonly admitted: (signal: AbortSignal) => Promise<void>
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly random: () => number
}

const name = 'slipway-presets'
/** Right after the start the API server may not reach the webhook yet: an outage is told of when so many attempts have failed. */
const patience = 5
/** Before the first further attempt, and the most, in milliseconds. */
const [first, longest] = [1000, 60_000]

const recordSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).default({}),
})
type Known = z.output<typeof recordSchema>

/**
 * Creates the classes that come with Slipway, each once: one that was deleted or changed since stays so. Names of those that
 * were applied are kept in a ConfigMap. Tries until it is done or the signal ends.
 */
export async function applyPresets(options: PresetsOptions, signal: AbortSignal): Promise<void> {
  const { random, admitted } = options
  await admitted(signal)
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      return await apply(options, signal)
    } catch (error) {
      if (signal.aborted) return
      const failure = asFailure(error)
      if (failure.row.kind === 'bug') throw error
      tell(failure, failures + 1, options)
      const wait = backoff(failures, { first, longest, random })
      await pause(Math.max(wait, failure.retryAfter ?? 0), signal)
    }
  }
}

function tell({ message, row }: Failure, failures: number, { log }: PresetsOptions): void {
  const first = row.kind === 'outage' ? patience : 1
  if (failures === first) log.warn({ reason: message }, 'the presets are applied later')
}

/** Each is noted as soon as it is there, and one that cannot be applied yet keeps no other waiting. */
async function apply(options: PresetsOptions, signal: AbortSignal): Promise<void> {
  const failures: unknown[] = []
  let known = await applied(options, signal)
  const presets = await options.presets()
  const missing = presets.filter(({ metadata }) => !(metadata.name in (known?.data ?? {})))
  for (const preset of missing) {
    try {
      await create(preset, options, signal)
      known = await note(preset, known, options, signal)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

async function applied(
  { api, namespace }: PresetsOptions,
  signal: AbortSignal,
): Promise<Known | null> {
  try {
    return checked(recordSchema, await api.get(`${pathIn(namespace)}/${name}`, {}, signal))
  } catch (error) {
    if (error instanceof Refusal && error.code === 'CLUSTER_NOT_FOUND') return null
    throw error
  }
}

/** One that is there already is somebody's own. */
async function create(
  preset: Preset,
  { api, log }: PresetsOptions,
  signal: AbortSignal,
): Promise<void> {
  try {
    await api.create(virtualMachineClass.path, preset, signal)
    log.info({ name: preset.metadata.name }, 'a preset was applied')
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'CLUSTER_EXISTS') throw error
  }
}

/** @returns what is noted now */
async function note(
  preset: Preset,
  known: Known | null,
  { api, namespace, now }: PresetsOptions,
  signal: AbortSignal,
): Promise<Known> {
  const data = { [preset.metadata.name]: new Date(now()).toISOString() }
  const path = pathIn(namespace)
  if (known) {
    const { resourceVersion } = known.metadata
    const body = { metadata: { resourceVersion }, data }
    return checked(recordSchema, await api.patch(`${path}/${name}`, 'merge', body, {}, signal))
  }
  const metadata = { name, namespace, labels: { 'app.kubernetes.io/name': 'slipway' } }
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }
  return checked(recordSchema, await api.create(path, body, signal))
}

function pathIn(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/configmaps`
}
