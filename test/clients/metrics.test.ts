import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { disk } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { get, send } from '../support/rest.ts'
import { readSamples, type Samples } from '../support/samples.ts'
import { startService, type Service } from '../support/service.ts'
import { toldMetrics } from '../support/told-metrics.ts'

const bytes = disk(1024 * 1024)
const resources = new AsyncDisposableStack()
let service: Service
let neighbour: Neighbour

beforeAll(async () => {
  neighbour = resources.use(await startNeighbour())
  service = resources.use(await startService({ SLIPWAY_IMPORT_RETRY_FOR: '2s' }))
})
afterAll(() => resources.disposeAsync())

async function samples(): Promise<Samples> {
  return await readSamples(`${service.base}/metrics`)
}

/** What has been added to counters by `work`; gauges are not meant. */
async function added(work: () => Promise<unknown>) {
  const before = await samples()
  await work()
  // What a client has received may not have been counted yet.
  const others = async () => (await samples()).total('slipway_http_requests_in_flight') - 1
  await expect.poll(others).toBe(0)
  const after = await samples()
  return (series: string) => after.value(series) - before.value(series)
}

const stages = ['fetch', 'inspect', 'store', 'commit']
const ofStage = (source: string, stage: string) =>
  `slipway_import_stage_seconds_count{source="${source}",stage="${stage}"}`

test('an import is counted with its bytes and its stages', async () => {
  const url = neighbour.serve('/one.img', { bytes })
  const by = await added(async () => {
    await service.rest.createFrom('one', url)
    await service.rest.ready('one')
  })
  expect(by('slipway_imports_total{source="HTTP",outcome="ready"}')).toBe(1)
  expect(by('slipway_import_received_bytes_total{source="HTTP"}')).toBe(bytes.length)
  expect(stages.map((stage) => by(ofStage('HTTP', stage)))).toEqual([1, 1, 1, 1])
  const now = await samples()
  expect(now.value('slipway_imports_running{source="HTTP"}')).toBe(0)
  expect(now.value('slipway_import_queue_depth')).toBe(0)
})

test('an attempt that breaks off is a retry, and one that fails for good a failure', async () => {
  const refused = neighbour.serve('/refused.img', { bytes, status: 404 })
  const fails = await added(async () => {
    await service.rest.createFrom('refused', refused)
    await service.rest.reaches('refused', 'Failed')
  })
  expect(fails('slipway_imports_total{source="HTTP",outcome="failed"}')).toBe(1)
  expect(fails('slipway_import_failures_total{source="HTTP",code="SOURCE_REFUSED"}')).toBe(1)
  expect(fails('slipway_import_retries_total{source="HTTP",code="SOURCE_UNAVAILABLE"}')).toBe(0)
  const away = neighbour.serve('/away.img', {
    bytes,
    status: 503,
    headers: { 'retry-after': '1' },
  })
  const retried = await added(async () => {
    await service.rest.createFrom('away', away)
    await service.rest.until('away', ({ status }) => (status.retries ?? 0) > 0)
  })
  expect(
    retried('slipway_import_retries_total{source="HTTP",code="SOURCE_UNAVAILABLE"}'),
  ).toBeGreaterThan(0)
  const waiting = async () => (await samples()).value('slipway_import_backoff_depth')
  await expect.poll(waiting, { interval: 10 }).toBe(1)
  await service.rest.delete('away')
})

test('an upload and a pull are counted by their routes', async () => {
  const url = await service.rest.createUpload('two')
  const sent = await added(async () => {
    expect((await send(url, bytes)).status).toBe(201)
  })
  const upload = '{route="/upload/{token}"'
  expect(sent('slipway_imports_total{source="Upload",outcome="ready"}')).toBe(1)
  expect(sent(`slipway_http_requests_total${upload},method="PUT",status="201"}`)).toBe(1)
  expect(sent(`slipway_http_request_seconds_count${upload},method="PUT"}`)).toBe(1)
  expect(sent(`slipway_http_received_bytes_total${upload}}`)).toBeGreaterThan(bytes.length)
  const pulled = await added(async () => {
    const answer = await get(`${service.base}/api/v1/images/two/disk`)
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
  })
  const route = 'route="/api/v1/images/{name}/disk"'
  expect(pulled(`slipway_http_requests_total{${route},method="GET",status="200"}`)).toBe(1)
  expect(pulled(`slipway_http_sent_bytes_total{${route}}`)).toBeGreaterThan(bytes.length)
})

test('a push to the registry is counted by its route', async () => {
  const blob = Buffer.from('a blob')
  const digest = `sha256:${createHash('sha256').update(blob).digest('hex')}`
  const by = await added(async () => {
    const url = `${service.base}/v2/team/app/blobs/uploads/?digest=${digest}`
    const pushed = await fetch(url, {
      method: 'POST',
      body: blob,
      signal: AbortSignal.timeout(5000),
    })
    expect(pushed.status).toBe(201)
  })
  const route = '{route="/v2/{repository}/blobs/uploads/",method="POST",status="201"}'
  expect(by(`slipway_http_requests_total${route}`)).toBe(1)
})

test('levels are those of the storage, within seconds', async () => {
  await expect
    .poll(async () => (await samples()).value('slipway_image_phase{phase="Ready"}'), {
      timeout: 15_000,
    })
    .toBe(2)
  const now = await samples()
  expect(now.value('slipway_logical_bytes')).toBeGreaterThan(2 * bytes.length)
  expect(now.value('slipway_blob_bytes')).toBeLessThan(2 * bytes.length)
  expect(now.value('slipway_free_bytes')).toBeGreaterThan(0)
  expect(now.has('slipway_storage_limit_bytes')).toBe(false)
  expect(now.value('slipway_http_connections')).toBeGreaterThan(0)
  expect(now.value('slipway_http_requests_in_flight{route="/metrics"}')).toBe(1)
})

test('an open stream of events is counted as long as somebody listens', async () => {
  const leaving = new AbortController()
  const streams = async () => (await samples()).value('slipway_event_streams')
  expect(await streams()).toBe(0)
  await fetch(`${service.base}/api/v1/events`, { signal: leaving.signal })
  await expect.poll(streams).toBe(1)
  leaving.abort()
  await expect.poll(streams).toBe(0)
  // To leave is how a stream ends.
  const ended = 'slipway_http_requests_total{route="/api/v1/events",method="GET",status="200"}'
  await expect.poll(async () => (await samples()).value(ended)).toBe(1)
})

test('the README tells of each metric of a running service, with its labels', async () => {
  const { families, labels } = await samples()
  const { service: told } = toldMetrics()
  const kinds = [...told].map(([name, { kind }]) => [name, kind])
  expect(Object.fromEntries(families)).toEqual(Object.fromEntries(kinds))
  for (const [name, own] of labels) {
    expect(told.get(name)?.labels.toSorted(), name).toEqual(own.toSorted())
  }
  expect(labels.size).toBeGreaterThan(30)
})

test('the log tells of the life of an image, and never the token of its upload', async () => {
  const from = service.logs.lines.length
  const url = await service.rest.createUpload('three')
  expect((await send(url, bytes)).status).toBe(201)
  await service.rest.delete('three')
  const life = ['image created', 'an image is on its way in', 'image ready', 'image deleted']
  for (const words of life) {
    const line = await service.logs.line(({ msg }) => msg === words, from)
    expect(line['image']).toBe('three')
  }
  const request = await service.logs.line(({ path }) => path === '/upload/…', from)
  expect(request).toMatchObject({ route: '/upload/{token}', method: 'PUT', status: 201 })
  const token = new URL(url).pathname.split('/').at(-1) ?? ''
  expect(token).toHaveLength(32)
  expect(JSON.stringify(service.logs.lines)).not.toContain(token)
})

test('a token that is escaped in the path of a request is not told either', async () => {
  const from = service.logs.lines.length
  const url = new URL(await service.rest.createUpload('four'))
  const token = url.pathname.split('/').at(-1) ?? ''
  const answer = await fetch(`${service.base}/%75pload/${token}`, {
    method: 'PUT',
    body: bytes,
    signal: AbortSignal.timeout(10_000),
  })
  expect(answer.status).toBe(201)
  await service.logs.line(({ path }) => path === '/upload/…', from)
  expect(JSON.stringify(service.logs.lines.slice(from))).not.toContain(token)
})
