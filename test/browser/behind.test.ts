import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { drop } from '../support/dropped.ts'
import { needsNginx, startNginx } from '../support/nginx.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const name = 'slipway.example.com'

describe.skipIf(!needsBrowser())('a page from elsewhere than this machine', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let visit: Visit

  beforeAll(async () => {
    service = held.use(await startService({ SLIPWAY_AUTH: 'none' }))
    // Loopback under a name that a browser takes for a network without TLS.
    visit = held.use(await openBrowser([`--host-resolver-rules=MAP ${name} 127.0.0.1`]))
  })
  afterAll(() => held.disposeAsync())

  test('comes compressed without TLS, and the browser has no complaint', async () => {
    const { port } = new URL(service.base)
    const page = await (await visit.context()).newPage()
    const codings = new Set<string | undefined>()
    page.on('response', (response) => {
      if (response.url().includes('/assets/')) codings.add(response.headers()['content-encoding'])
    })
    await page.goto(`http://${name}:${port}/`)
    await page.getByText('There is no image yet.').waitFor()
    expect([...codings]).toEqual(['gzip'])
  })

  test.skipIf(!needsNginx())('lies below a prefix of a proxy, and takes files there', async () => {
    const directives = `location /slipway/ {
      proxy_pass ${service.base}/;
      proxy_set_header Host $http_host;
      proxy_request_buffering off;
      client_max_body_size 0;
    }`
    await using nginx = await startNginx({ directives })
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'some.img')
    await writeFile(file, disk(mebibyte))
    const page = await visit.page(nginx.url('slipway/'))
    await page.getByText('There is no image yet.').waitFor()
    await drop(page, { path: file, name: 'behind.img' })
    await page.getByText('byte for byte your file').first().waitFor()
    await page.getByRole('link', { name: 'Repositories' }).click()
    await picture(page, 'behind-01-prefix')
    await page.getByRole('link', { name: 'cvi/behind' }).waitFor()
    await page.close()
  })
})
