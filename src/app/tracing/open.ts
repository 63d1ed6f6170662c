import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Log } from '../../log.ts'
import type { TraceOptions, Tracing } from '../traces.ts'
import { programVersion } from '../version.ts'
import { traceCalls } from './calls.ts'
import { tracedJourneys } from './journeys.ts'
import { samplerOf } from './sampler.ts'
import { Spans } from './spans.ts'
import { tellWarnings } from './warnings.ts'

/** One batch, with all its further attempts, in milliseconds: as long as a stop may wait for the last ones. */
const exportWithin = 3000
/** Spans of some kilobytes: what is beyond while the collector is away is dropped. */
const mostWaiting = 2048

/** Starts to record. What is sent goes out in batches, every five seconds. */
export function open(url: string, options: TraceOptions, log: Log): Tracing {
  const { settings, name, own } = options
  tellWarnings(log)
  const exporter = new OTLPTraceExporter({
    url,
    headers: { ...settings.otlpHeaders },
    timeoutMillis: exportWithin,
  })
  const provider = new TracerProvider({
    resource: resourceOf(options),
    sampler: samplerOf(settings.otelSampler, settings.otelSamplerArg),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: mostWaiting,
        exportTimeoutMillis: exportWithin,
      }),
    ],
  })
  const spans = new Spans(provider.getTracer('slipway', programVersion()))
  const calls = traceCalls(spans, own)
  log.info({ service: settings.otelServiceName ?? name }, 'traces are sent')
  return {
    traces: spans,
    observer: tracedJourneys(spans),
    async [Symbol.asyncDispose]() {
      calls[Symbol.dispose]()
      await flushed(provider, log)
    },
  }
}

function resourceOf({ settings, name }: TraceOptions) {
  return defaultResource().merge(
    resourceFromAttributes({
      ...settings.otelResource,
      'service.name': settings.otelServiceName ?? settings.otelResource?.['service.name'] ?? name,
      'service.version': programVersion(),
    }),
  )
}

/** Those that cannot be sent in time are lost. */
async function flushed(provider: TracerProvider, log: Log): Promise<void> {
  try {
    await provider.shutdown()
  } catch (error) {
    log.warn({ err: error }, 'traces cannot be sent: the last ones are lost')
  }
}
