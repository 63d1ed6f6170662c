import type { Settings } from '../env.ts'
import type { traceNames } from '../env/traces.ts'
import type { Log } from '../log.ts'
import { untraced, type Traces } from '../traces.ts'
import type { Observer } from '../work/journeys.ts'

export type TraceOptions = {
  readonly settings: Pick<Settings, (typeof traceNames)[number]>
  /** Who the traces are from, unless the settings say it. */
  readonly name: string
  /** Where the service is, for those that ask it: its spans belong to the same trace. Null for the service itself. */
  readonly own: string | null
}

export type Tracing = AsyncDisposable & {
  readonly traces: Traces
  /** Of attempts to bring images in; null where nobody asked for traces. */
  readonly observer: Observer | null
}

const none: Tracing = {
  traces: untraced,
  observer: null,
  [Symbol.asyncDispose]: () => Promise.resolve(),
}

/** Whether an endpoint is set. */
export function isTraced({ otlpEndpoint, otlpTracesEndpoint }: TraceOptions['settings']): boolean {
  return otlpEndpoint !== null || otlpTracesEndpoint !== null
}

/** OpenTelemetry is loaded only where an endpoint is set. Disposing sends what is left, within a few seconds. */
export async function openTraces(options: TraceOptions, log: Log): Promise<Tracing> {
  const { otlpEndpoint, otlpTracesEndpoint } = options.settings
  if (!isTraced(options.settings)) return none
  const { open } = await import('./tracing/open.ts')
  return open(otlpTracesEndpoint ?? `${otlpEndpoint}/v1/traces`, options, log)
}
