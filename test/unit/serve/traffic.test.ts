import { expect, test } from 'vitest'
import { Metrics } from '../../../src/metrics.ts'
import { accessLog } from '../../../src/serve/access-log.ts'
import { Traffic } from '../../../src/serve/traffic.ts'
import { Samples } from '../../support/samples.ts'
import { get, listening, serve, slowRoutes } from './listener-under-test.ts'

async function counting() {
  const { log, lines } = listening()
  const metrics = new Metrics()
  const traffic = new Traffic(metrics.http, accessLog(log))
  const slow = slowRoutes()
  const served = await serve(slow.routes, { traffic })
  return {
    ...slow,
    served,
    lines,
    samples: async () => new Samples(await metrics.text()),
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  }
}

const requests = (labels: string) => `slipway_http_requests_total{${labels}}`

test('an answer that nobody waits for is counted as 499', async () => {
  await using at = await counting()
  const wire = await at.served.connect()
  await wire.send(get('/slow'))
  await at.asked
  expect((await at.samples()).value('slipway_http_requests_in_flight{route="unknown"}')).toBe(1)
  wire.breakOff()
  const cut = requests('route="unknown",method="GET",status="499"')
  await expect.poll(async () => (await at.samples()).value(cut)).toBe(1)
  expect((await at.samples()).total('slipway_http_requests_in_flight')).toBe(0)
  at.go()
})

test('requests behind a slow one are counted when their connection breaks', async () => {
  await using at = await counting()
  const wire = await at.served.connect()
  await wire.send(get('/slow') + get('/'))
  await at.asked
  wire.breakOff()
  at.go()
  const ended = async () => (await at.samples()).total('slipway_http_requests_total')
  await expect.poll(ended).toBe(2)
  await expect.poll(async () => (await at.samples()).value('slipway_http_connections')).toBe(0)
})

test('bytes of an answer are counted while it goes out', async () => {
  await using at = await counting()
  const wire = await at.served.connect()
  await wire.send(get('/streamed'))
  await at.begun
  const sent = async () =>
    (await at.samples()).value('slipway_http_sent_bytes_total{route="unknown"}')
  await expect.poll(sent).toBeGreaterThan(0)
  const before = await sent()
  at.goOn()
  await expect.poll(sent).toBeGreaterThan(before)
})

test('what is no request is counted, too', async () => {
  await using at = await counting()
  const wire = await at.served.connect()
  await wire.send('garbage\r\n\r\n')
  const refused = requests('route="unreadable",method="other",status="400"')
  await expect.poll(async () => (await at.samples()).value(refused)).toBe(1)
})

test('what is read is told at debug, changes and what failed to those who look at less', async () => {
  await using at = await counting()
  const ask = (path: string, method = 'GET') =>
    fetch(`${at.served.base}${path}`, { method, signal: AbortSignal.timeout(5000) })
  await ask('/?token=secret')
  await ask('/upload/secret', 'PUT')
  const told = () => at.lines.map(({ level, path, status }) => [level, path, status])
  await expect.poll(told).toEqual([
    [20, '/', 200],
    [30, '/upload/…', 404],
  ])
  expect(JSON.stringify(at.lines)).not.toContain('secret')
})
