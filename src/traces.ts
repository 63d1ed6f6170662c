/** By the names of OpenTelemetry's semantic conventions. Never a token, a query or user-info. */
export type Attributes = { readonly [name: string]: string | number | boolean }

/** A piece of work, from `within` to its end. */
export interface Span {
  set(attributes: Attributes): void
  /** It ended badly. @param type code of the failure, or the status of the answer */
  fail(type: string): void
}

export type Named = {
  /** One of a few: the rest stands in attributes. */
  readonly name: string
  readonly kind: 'server' | 'internal'
  readonly attributes: Attributes
  /** Of the request that asks for it: it may be part of a trace already (W3C Trace Context). */
  readonly headers?: { readonly [name: string]: string | undefined }
}

/** As OpenTelemetry writes them in logs. */
export type TraceIds = { readonly trace_id: string; readonly span_id: string }

/** Where traces go to. Whoever does something worth a span says so here, and knows nothing of OpenTelemetry. */
export interface Traces {
  /** Runs `work` as a span; spans that begin meanwhile are its children. What `work` throws makes it fail. */
  within<Result>(named: Named, work: (span: Span) => Promise<Result>): Promise<Result>
  /** Of the span that the caller runs in; null where there is none. */
  ids(): TraceIds | null
}

const unseen: Span = { set() {}, fail() {} }

/** Where nobody asked for traces. */
export const untraced: Traces = {
  within: (_named, work) => work(unseen),
  ids: () => null,
}
