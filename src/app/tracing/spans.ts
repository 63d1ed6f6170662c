import { AsyncLocalStorage } from 'node:async_hooks'
import {
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span as Recorded,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { asFailure } from '../../errors.ts'
import type { Named, Span, TraceIds, Traces } from '../../traces.ts'

const kinds = { server: SpanKind.SERVER, internal: SpanKind.INTERNAL } as const
const propagator = new W3CTraceContextPropagator()

/**
 * Traces that OpenTelemetry records. Which span work runs in goes with it through callbacks and promises; nothing global is
 * touched, so several of them may live in one process.
 */
export class Spans implements Traces {
  readonly #tracer: Tracer
  readonly #contexts = new AsyncLocalStorage<Context>()

  constructor(tracer: Tracer) {
    this.#tracer = tracer
  }

  get current(): Recorded | null {
    return trace.getSpan(this.#contexts.getStore() ?? ROOT_CONTEXT) ?? null
  }

  /** A span that its maker ends; a child of the current one unless it is to be the first of a trace. */
  begin(name: string, options: SpanOptions, from = this.#contexts.getStore()): Recorded {
    return this.#tracer.startSpan(name, options, from ?? ROOT_CONTEXT)
  }

  /** A child of a given span. */
  beginBelow(parent: Recorded, name: string, options: SpanOptions): Recorded {
    return this.begin(name, options, trace.setSpan(ROOT_CONTEXT, parent))
  }

  /** Ends it where no span is current: what sends it must not be traced itself. */
  end(span: Recorded, at?: number): void {
    this.#contexts.exit(() => span.end(at))
  }

  inside<Result>(span: Recorded, work: () => Result): Result {
    return this.#contexts.run(trace.setSpan(ROOT_CONTEXT, span), work)
  }

  /** What a request says that is part of the trace of this span. */
  headersOf(span: Recorded): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {}
    propagator.inject(trace.setSpan(ROOT_CONTEXT, span), headers, defaultTextMapSetter)
    return headers
  }

  async within<Result>(named: Named, work: (span: Span) => Promise<Result>): Promise<Result> {
    const { name, kind, attributes, headers } = named
    const from = headers && propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter)
    const span = this.begin(name, { kind: kinds[kind], attributes }, from)
    try {
      return await this.inside(span, () => work(told(span)))
    } catch (error) {
      told(span).fail(asFailure(error).code)
      throw error
    } finally {
      this.end(span)
    }
  }

  ids(): TraceIds | null {
    const { traceId, spanId } = this.current?.spanContext() ?? {}
    return traceId !== undefined && spanId !== undefined
      ? { trace_id: traceId, span_id: spanId }
      : null
  }
}

export function told(span: Recorded): Span {
  return {
    set: (attributes) => void span.setAttributes(attributes),
    fail(type) {
      span.setAttribute('error.type', type)
      span.setStatus({ code: SpanStatusCode.ERROR })
    },
  }
}
