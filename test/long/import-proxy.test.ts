import { expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { expectOnly } from '../support/leftovers.ts'
import { startProxy } from '../support/proxy.ts'
import { readiness } from '../support/rest.ts'
import { startService } from '../support/service.ts'

const bytes = disk(mebibyte)
const secret = Buffer.from('user:sesame').toString('base64')

test('imports come through the proxies of the environment, which alone learn their credentials', async () => {
  await using open = await startProxy()
  await using shut = await startProxy({ refuse: 407 })
  await using neighbour = await startNeighbour()
  await using service = await startService({
    http_proxy: open.url('user:sesame@'),
    HTTPS_PROXY: shut.url('user:sesame@'),
    NO_PROXY: '127.0.0.0/8',
    SLIPWAY_IMPORT_RETRY_FOR: '1s',
  })
  const { rest } = service
  const direct = neighbour.serve('/image', { bytes })
  const url = neighbour.url('/image', 'mirror.example')
  await rest.createFrom('direct', direct)
  await rest.ready('direct')
  expect(open.connections + shut.connections).toBe(0)

  await rest.createFrom('by-proxy', url)
  const { status } = await rest.ready('by-proxy')
  expect(status.source?.url).toBe(url)
  expect(open.asked).toMatchObject([
    { target: url, headers: { 'proxy-authorization': `Basic ${secret}` } },
  ])
  expect(JSON.stringify(neighbour.requests)).not.toContain(secret)

  await rest.createFrom('shut', 'https://mirror.example/image')
  const refused = await rest.reaches('shut', 'Failed')
  expect(readiness(refused).message).toBe(
    `the proxy ${shut.name} does not take the credentials; an administrator gives them in HTTP_PROXY and HTTPS_PROXY, as in http://user:password@host:port`,
  )
  expect(shut.asked[0]).toMatchObject({ method: 'CONNECT', target: 'mirror.example:443' })
  await rest.delete('shut')
  expect(service.logs.toString()).not.toMatch(/sesame/)
  await expectOnly(service.folder, ['by-proxy', 'direct'])
})
