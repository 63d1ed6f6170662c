import { SpanKind, type Span as Recorded, type SpanContext } from '@opentelemetry/api'
import type { Begun, Ended, Observer } from '../../work/journeys.ts'
import { told, type Spans } from './spans.ts'

/** Attempts that another one may follow, the last ones; older ones are not linked to. */
const remembered = 1000

/**
 * Each attempt as a span, with the stages below it. An upload is part of the request that brings its bytes. An import begins
 * a trace of its own, whoever asked for the image, and is linked to the attempt before it.
 */
export function tracedJourneys(spans: Spans): Observer {
  const running = new Map<string, Recorded>()
  const before = new Map<string, SpanContext>()
  return {
    async around(begun, run) {
      const span = begin(spans, begun, before.get(begun.uid))
      running.set(begun.uid, span)
      return await spans.inside(span, run)
    },
    ended(ended) {
      const span = running.get(ended.uid)
      if (!span) return
      running.delete(ended.uid)
      before.delete(ended.uid)
      if (ended.outcome === 'retried') before.set(ended.uid, span.spanContext())
      forgetOldest(before)
      conclude(spans, span, ended)
    },
  }
}

function begin(spans: Spans, begun: Begun, earlier: SpanContext | undefined): Recorded {
  const { source, image, uid, attempt, at } = begun
  const isUpload = source === 'Upload'
  const attributes = {
    'slipway.image.name': image,
    'slipway.image.uid': uid,
    'slipway.source.type': source,
    'slipway.attempt': attempt,
  }
  return spans.begin(isUpload ? 'upload' : 'import', {
    kind: SpanKind.INTERNAL,
    root: !isUpload,
    startTime: at,
    attributes,
    links: earlier ? [{ context: earlier }] : [],
  })
}

function conclude(spans: Spans, span: Recorded, ended: Ended): void {
  const { outcome, code, bytes, digest, stages, endedAt } = ended
  for (const [stage, { from, to, seconds }] of Object.entries(stages)) {
    const attributes = { 'slipway.stage.seconds': seconds }
    spans.end(spans.beginBelow(span, stage, { startTime: from, attributes }), to)
  }
  span.setAttributes({ 'slipway.outcome': outcome, 'slipway.bytes': bytes })
  if (digest !== null) span.setAttribute('slipway.manifest.digest', digest)
  if (code !== null) told(span).fail(code)
  spans.end(span, endedAt)
}

function forgetOldest(before: Map<string, SpanContext>): void {
  const [oldest] = before.keys()
  if (before.size > remembered && oldest !== undefined) before.delete(oldest)
}
