import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { startCollector, type Collector, type ReceivedSpan } from '../support/otlp.ts'
import { needs } from '../support/programs.ts'
import { send } from '../support/rest.ts'
import { needsS3, startS3 } from '../support/s3.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { certify } from '../unit/source/certificates.ts'

const secret = 'a-signature-nobody-may-see'
const held = new AsyncDisposableStack()
let source: Neighbour
beforeAll(async () => {
  source = held.use(await startNeighbour())
})
afterAll(() => held.disposeAsync())

describe('traces', () => {
  let collector: Collector
  let service: Service
  const requests: ReceivedSpan[] = []
  const parentTrace = randomBytes(16).toString('hex')
  const parentSpan = randomBytes(8).toString('hex')

  beforeAll(async () => {
    collector = held.use(await startCollector())
    service = held.use(
      await startService({
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-key=some%2Ckey',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      }),
    )
    const { rest } = service
    const url = source.serve('/disk.img', { bytes: disk(mebibyte), ranges: 'honest' })
    await rest.createFrom('imported', `${url}?sig=${secret}`)
    await rest.ready('imported')
    await send(await rest.createUpload('sent'), new Uint8Array(disk(mebibyte)))
    await rest.ready('sent')
    await fetch(`${service.base}/api/v1/images/none?wait=1s`, {
      headers: { traceparent: `00-${parentTrace}-${parentSpan}-01` },
    })
    await fetch(`${service.base}/healthz`)
    // What is left is sent at the end.
    await service.stop()
    requests.push(...collector.spans.filter(({ kind }) => kind === 2))
  })

  const named = (name: string) => collector.spans.filter((span) => span.name === name)
  const below = (parent: ReceivedSpan | undefined) =>
    collector.spans.filter(({ parent: id }) => id === parent?.id)

  test('have an import with its stages and its request to the source below it', () => {
    const [span, ...others] = named('import')
    expect(others).toEqual([])
    expect(span).toMatchObject({ parent: '', service: 'slipway', status: 0 })
    expect(span?.attributes).toMatchObject({
      'slipway.image.name': 'imported',
      'slipway.outcome': 'ready',
      'slipway.attempt': 1,
    })
    const children = below(span)
    expect(new Set(children.map(({ traceId }) => traceId))).toEqual(new Set([span?.traceId]))
    const names = children.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['fetch', 'inspect', 'store', 'commit', 'GET']))
    const asked = children.find(({ kind }) => kind === 3)
    expect(asked?.attributes).toMatchObject({
      'server.address': '127.0.0.1',
      'server.port': source.port,
    })
  })

  test('have an upload below the request that brought it', () => {
    const [span] = named('upload')
    const request = requests.find(({ id }) => id === span?.parent)
    expect(request).toMatchObject({ name: 'PUT /upload/{token}', traceId: span?.traceId })
    expect(request?.attributes).toMatchObject({
      'url.path': '/upload/…',
      'http.response.status_code': 201,
    })
  })

  test('go on where the client began, with the route in place of the path', () => {
    const span = named('GET /api/v1/images/{name}').find(({ parent }) => parent === parentSpan)
    expect(span).toMatchObject({ traceId: parentTrace, status: 0 })
    expect(span?.attributes['http.response.status_code']).toBe(404)
    expect(span?.attributes['slipway.request_id']).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('tell nobody else: neither the source, nor of health, nor of what is secret', () => {
    expect(source.requests.length).toBeGreaterThan(0)
    expect(source.requests.filter(({ headers }) => 'traceparent' in headers)).toEqual([])
    expect(collector.spans.filter(({ name }) => name.includes('healthz'))).toEqual([])
    expect(collector.raw).toContain('deployment.environment.name')
    expect(collector.raw).not.toMatch(new RegExp(`${secret}|sig=|[?]wait`))
    expect(collector.raw).not.toContain('v1/traces')
    expect(collector.headers['x-key']).toBe('some,key')
  })

  test('are named in the lines of the log', () => {
    const [span] = named('import')
    const line = service.logs.lines.find(
      ({ msg, image }) => msg === 'image ready' && image === 'imported',
    )
    expect(line).toMatchObject({ trace_id: span?.traceId, span_id: span?.id })
    expect(service.logs.toString()).not.toContain('some,key')
  })
})

describe.skipIf(!needs('openssl', 'apt-get install openssl'))('a collector over TLS', () => {
  test('is trusted by what SSL_CERT_FILE holds, and not without it', async () => {
    const tls = await certify('IP:127.0.0.1')
    await using folder = await temporaryFolder()
    await writeFile(`${folder.path}/ca.pem`, tls.ca)
    await using collector = await startCollector(tls)
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
    await using stranger = await startService(endpoint)
    await fetch(`${stranger.base}/api/v1/images`)
    await stranger.stop()
    expect(collector.spans).toEqual([])
    expect(stranger.logs.toString()).toContain('traces cannot be sent')
    await using service = await startService({
      ...endpoint,
      SSL_CERT_FILE: `${folder.path}/ca.pem`,
    })
    await fetch(`${service.base}/api/v1/images`)
    await service.stop()
    expect(collector.spans.map(({ name }) => name)).toEqual(['GET /api/v1/images'])
  })
})

describe.skipIf(!needsS3())('an upload to the object store', () => {
  test('has the requests that went there, without their signatures', async () => {
    await using collector = await startCollector()
    await using s3 = await startS3()
    await using service = await startService({
      ...s3.variables(),
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    })
    await send(await service.rest.createUpload('sent'), new Uint8Array(disk(mebibyte)))
    await service.rest.ready('sent')
    await service.stop()
    const upload = collector.spans.find(({ name }) => name === 'upload')
    const asked = collector.spans.filter(({ parent, kind }) => parent === upload?.id && kind === 3)
    expect(asked.map(({ name }) => name)).toContain('PUT')
    const { port } = new URL(s3.endpoint)
    expect(new Set(asked.map(({ attributes }) => attributes['server.port']))).toEqual(
      new Set([Number(port)]),
    )
    expect(collector.raw).not.toMatch(/X-Amz|AWS4|Signature/i)
  })
})

describe('OpenTelemetry', () => {
  /** Tells on standard error of each of its modules that is loaded, beside its API, which prom-client loads. */
  const hook = `import { registerHooks } from 'node:module'
    registerHooks({
      load(url, context, next) {
        if (/@opentelemetry.(?!api.)/.test(url)) console.error('loaded ' + url)
        return next(url, context)
      },
    })`
  const options = `--import=data:text/javascript,${encodeURIComponent(hook)}`

  test('is loaded where there is somebody to tell, and nowhere else', async () => {
    await using collector = await startCollector()
    await using without = await startService({ NODE_OPTIONS: options })
    await using withIt = await startService({
      NODE_OPTIONS: options,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.endpoint}/v1/traces`,
    })
    for (const service of [without, withIt]) {
      await send(await service.rest.createUpload('sent'), new Uint8Array(disk(mebibyte)))
      await service.rest.ready('sent')
      await service.stop()
    }
    expect(withIt.logs.toString()).toContain('loaded ')
    expect(without.logs.toString()).not.toMatch(/loaded |trace_id/)
    expect(collector.spans.length).toBeGreaterThan(0)
  })

  test('whose collector is away harms nothing: the log says so, and the service ends as ever', async () => {
    await using service = await startService({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    })
    await send(await service.rest.createUpload('sent'), new Uint8Array(disk(mebibyte)))
    await service.rest.ready('sent')
    await service.stop()
    expect(service.logs.lines.map(({ msg }) => msg)).toContainEqual(
      expect.stringMatching(/^traces cannot be sent/),
    )
  })
})
