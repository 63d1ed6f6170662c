import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { PassThrough } from 'node:stream'
import { diag } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { traceCalls } from '../../../src/app/tracing/calls.ts'
import { tracedJourneys } from '../../../src/app/tracing/journeys.ts'
import { samplerOf } from '../../../src/app/tracing/sampler.ts'
import { Spans } from '../../../src/app/tracing/spans.ts'
import { tellWarnings } from '../../../src/app/tracing/warnings.ts'
import { Rest } from '../../../src/client/rest.ts'
import { Outage } from '../../../src/errors.ts'
import { samplers } from '../../../src/env/traces.ts'
import type { Begun } from '../../../src/work/journeys.ts'

function recording(sampler = samplerOf('always_on', 1)) {
  const exporter = new InMemorySpanExporter()
  const spanProcessors = [new SimpleSpanProcessor({ exporter })]
  const provider = new TracerProvider({ sampler, spanProcessors })
  return { spans: new Spans(provider.getTracer('test')), seen: () => exporter.getFinishedSpans() }
}

async function startEcho() {
  const headers: unknown[] = []
  const server = createServer((incoming, outgoing) => {
    headers.push(incoming.headers)
    outgoing.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const port = typeof address === 'object' && address ? address.port : 0
  return { base: `http://127.0.0.1:${port}`, headers }
}

const reconcile = { name: 'reconcile', kind: 'internal', attributes: {} } as const
const get = async (base: string) =>
  await new Rest({ base, token: async () => null, userAgent: 'test' }).get(
    '/x?token=secret',
    z.object({}),
    AbortSignal.timeout(10_000),
  )

describe('an outgoing call', () => {
  test('carries the trace to the own service, and to nobody else', async () => {
    const { spans, seen } = recording()
    const own = await startEcho()
    const other = await startEcho()
    using calls = traceCalls(spans, `${own.base}/prefix`)
    void calls
    await spans.within(reconcile, async () => {
      await get(own.base)
      await get(other.base)
    })
    const [first, second, parent] = seen()
    const { traceId, spanId } = first?.spanContext() ?? {}
    expect(own.headers).toMatchObject([{ traceparent: `00-${traceId}-${spanId}-01` }])
    expect(other.headers).not.toMatchObject([{ traceparent: expect.any(String) }])
    expect(second?.attributes).toMatchObject({
      'server.port': Number(new URL(other.base).port),
      'http.response.status_code': 200,
    })
    for (const span of [first, second]) {
      expect(span?.parentSpanContext?.spanId).toBe(parent?.spanContext().spanId)
      expect(JSON.stringify(span?.attributes)).not.toMatch(/secret|\/x/)
    }
  })

  test('of the object store, which is asked by Node itself, is seen as well', async () => {
    const { spans, seen } = recording()
    const { base, headers } = await startEcho()
    using calls = traceCalls(spans, base)
    void calls
    await spans.within(reconcile, async () => {
      const [answer] = await once(
        request(`${base}/bucket/key`, { method: 'PUT' }).end(),
        'response',
      )
      answer.resume()
      await once(answer, 'end')
    })
    expect(headers).not.toMatchObject([{ traceparent: expect.any(String) }])
    expect(seen()[0]).toMatchObject({
      name: 'PUT',
      attributes: { 'server.port': Number(new URL(base).port), 'http.response.status_code': 200 },
    })
  })

  test('that breaks has failed', async () => {
    const { spans, seen } = recording()
    using calls = traceCalls(spans, null)
    void calls
    const broken = spans.within(reconcile, async () => await get('http://127.0.0.1:9'))
    await expect(broken).rejects.toMatchObject({ code: 'SERVICE_UNREACHABLE' })
    expect(seen().map(({ name, status }) => [name, status.code])).toEqual([
      ['GET', 2],
      ['reconcile', 2],
    ])
  })

  test('that is part of nothing, or comes after the end, is no span', async () => {
    const { spans, seen } = recording()
    const { base, headers } = await startEcho()
    const calls = traceCalls(spans, base)
    await get(base)
    calls[Symbol.dispose]()
    await spans.within(reconcile, async () => await get(base))
    expect(headers).toHaveLength(2)
    expect(seen().map(({ name }) => name)).toEqual(['reconcile'])
  })
})

describe('work', () => {
  test('that throws fails its span with the code of the failure, and throws on', async () => {
    const { spans, seen } = recording()
    const failure = new Outage('STORAGE_FULL', 'full')
    const work = () => Promise.reject(failure)
    await expect(spans.within(reconcile, work)).rejects.toBe(failure)
    expect(seen()).toMatchObject([
      { attributes: { 'error.type': 'STORAGE_FULL' }, status: { code: 2 } },
    ])
    expect(spans.ids()).toBeNull()
  })
})

describe('attempts', () => {
  const begun: Begun = { image: 'a', uid: 'u', source: 'HTTP', attempt: 1, at: Date.now() }
  const ended = { ...begun, endedAt: Date.now(), code: null, bytes: 1, digest: null, stages: {} }

  test('are linked to the one before, for as long as that one was to be tried again', async () => {
    const { spans, seen } = recording()
    const observer = tracedJourneys(spans)
    for (const outcome of ['retried', 'ready', 'failed'] as const) {
      await observer.around?.(begun, () => Promise.resolve())
      observer.ended?.({ ...ended, outcome, code: outcome === 'ready' ? null : 'SIZE_MISMATCH' })
    }
    const [first, second, third] = seen()
    expect(second?.links).toMatchObject([{ context: { spanId: first?.spanContext().spanId } }])
    expect([first?.links, third?.links]).toEqual([[], []])
    expect(first?.status.code).toBe(2)
    expect(second?.attributes).toMatchObject({ 'slipway.outcome': 'ready' })
  })

  test('begin a trace of their own, but for uploads, which are part of their request', async () => {
    const { spans, seen } = recording()
    const observer = tracedJourneys(spans)
    await spans.within(reconcile, async () => {
      for (const source of ['HTTP', 'Upload'] as const) {
        await observer.around?.({ ...begun, source }, () => Promise.resolve())
        observer.ended?.({ ...ended, source, outcome: 'ready' })
      }
    })
    const [fetched, uploaded, request] = seen()
    expect(fetched?.parentSpanContext).toBeUndefined()
    expect(uploaded?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
  })
})

describe('samplers', () => {
  test.each(samplers)('%s keeps what it says of new traces', async (name) => {
    const { spans, seen } = recording(samplerOf(name, 0))
    await spans.within(reconcile, () => Promise.resolve())
    expect(seen()).toHaveLength(name.endsWith('always_on') ? 1 : 0)
  })
})

describe('what OpenTelemetry complains of', () => {
  test('is told once a minute at most, without addresses', () => {
    const stream = new PassThrough()
    tellWarnings(pino(stream))
    onTestFinished(() => diag.disable())
    for (let each = 0; each < 100; each += 1) diag.error('no https://collector/?key=secret here')
    const lines = String(stream.read()).trim().split('\n')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('traces cannot be sent')
    expect(lines[0]).not.toContain('secret')
  })
})
