import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { imageManifest } from '../support/push-content.ts'
import { RegistryClient, expectStatus } from '../support/registry-client.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const config = Buffer.from('{"architecture":"amd64","os":"linux"}')

describe.skipIf(!needsBrowser())('what takes how much of the storage', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let visit: Visit

  beforeAll(async () => {
    service = held.use(await startService({ SLIPWAY_STORAGE_LIMIT: '64Mi' }))
    visit = held.use(await openBrowser())
  })
  afterAll(() => held.disposeAsync())

  async function upload(name: string, bytes: Buffer<ArrayBuffer>): Promise<void> {
    expect((await send(await service.rest.createUpload(name), bytes)).status).toBe(201)
  }

  async function push(repository: string, layers: readonly Buffer<ArrayBuffer>[]): Promise<void> {
    const client = new RegistryClient(() => service.base)
    const parts = [config, ...layers]
    const [first, ...others] = await Promise.all(
      parts.map(async (bytes) => ({
        digest: await client.push(repository, bytes),
        size: bytes.length,
      })),
    )
    if (!first) throw new Error('there is no configuration')
    const manifest = imageManifest(first, others)
    await expectStatus(await client.putManifest(repository, { ...manifest, reference: 'v1' }), 201)
  }

  async function row(page: Page, name: string) {
    const found = page.getByRole('row', { name })
    await found.waitFor()
    return await found.innerText()
  }

  test('is nothing at first', async () => {
    const page = await visit.page(`${service.base}/#/storage`)
    await page.getByText('Nothing is stored yet.').waitFor()
    await page.getByText('0 B of the 64.0 MiB that are allowed are stored').waitFor()
    await picture(page, 'storage-01-empty')
  })

  test('is told by image, by what is shared and by what was pushed, while it changes', async () => {
    const page = await visit.page(`${service.base}/#/storage`)
    await page.getByText('Nothing is stored yet.').waitFor()
    await upload('ubuntu', disk(12 * mebibyte, 1))
    for (const name of ['windows', 'windows-copy']) await upload(name, disk(8 * mebibyte, 2))
    const base = disk(6 * mebibyte, 3)
    await push('team/app', [base, disk(3 * mebibyte, 4)])
    await push('team/other', [base, disk(2 * mebibyte, 5)])
    await new RegistryClient(() => service.base).push('team/none', disk(mebibyte, 6))
    expect(await row(page, 'windows, windows-copy')).toMatch(/Shared by 2\s+8\.0 MiB/)
    expect(await row(page, 'ubuntu')).toMatch(/Of one image alone\s+12\.0 MiB/)
    expect(await row(page, 'team/app, team/other')).toMatch(/Shared by 2\s+6\.0 MiB/)
    expect(await row(page, 'In no image or repository')).toMatch(/1\.0 MiB/)
    await page.getByText('Without sharing it would be 14.0 MiB more.').waitFor()
    await picture(page, 'storage-02-shares')
    await page.emulateMedia({ colorScheme: 'dark' })
    await picture(page, 'storage-02-shares-dark')
    await page.setViewportSize({ width: 360, height: 800 })
    await picture(page, 'storage-02-shares-narrow')
  })

  test('leads to the images and to the repositories', async () => {
    const page = await visit.page(`${service.base}/#/storage`)
    await page.locator('a.tile', { hasText: 'ubuntu' }).click()
    await page.getByRole('heading', { name: 'ubuntu' }).waitFor()
    await page.goBack()
    await page.getByRole('row', { name: 'team/app, team/other' }).getByText('team/other').click()
    await page.getByRole('heading', { name: 'team/other' }).waitFor()
  })

  test('is collected and scrubbed, and what that found is told', async () => {
    const page = await visit.page(`${service.base}/#/storage`)
    await page.getByRole('button', { name: 'Only count' }).click()
    // As long as one runs there is no other.
    await page.getByText(/The last one ended .* It would remove \d+ blobs/).waitFor()
    await page.getByRole('button', { name: 'Collect now' }).click()
    await page.getByText(/It removed \d+ blobs/).waitFor()
    await page.getByRole('button', { name: 'Scrub now' }).click()
    await page.getByText('none is damaged').waitFor()
    await page.getByLabel('Scrub').getByText('The last one ended').waitFor()
    await picture(page, 'storage-03-care')
  })

  test('tells whoever wants to collect that a count is running', async () => {
    const page = await visit.page(`${service.base}/#/storage`)
    const count = await fetch(`${service.base}/api/v1/storage/gc`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"dryRun": true}',
      signal: AbortSignal.timeout(20_000),
    })
    // As the service answers while that one runs.
    const answer = { status: 202, contentType: 'application/json', body: await count.text() }
    await page.route('**/api/v1/storage/gc', (route) => route.fulfill(answer), { times: 1 })
    await page.getByRole('button', { name: 'Collect now' }).click()
    await page.getByText('A count is running: collect once it has ended').waitFor()
  })

  test('says that something else answered, and shows what comes after', async () => {
    const page = await visit.page(service.base)
    const login = { status: 200, contentType: 'text/html', body: '<p>Log in to this network</p>' }
    await page.route('**/api/v1/storage', (route) => route.fulfill(login), { times: 1 })
    await page.getByRole('link', { name: 'Storage' }).click()
    await page.getByRole('alert').getByText('not in its words').waitFor()
    await page.getByRole('row', { name: 'ubuntu' }).waitFor()
  })

  test('is asked for no more once somebody has left', async () => {
    const page = await (await visit.context()).newPage()
    await page.clock.install()
    await page.goto(`${service.base}/#/storage`)
    await page.getByRole('row', { name: 'ubuntu' }).waitFor()
    let asked = 0
    page.on('request', (request) => (asked += Number(request.url().includes('api/v1/storage'))))
    await page.clock.runFor(6000)
    await expect.poll(() => asked).toBeGreaterThan(0)
    await page.getByRole('link', { name: 'Images' }).click()
    await page.getByText('3 images').waitFor()
    const before = asked
    await page.clock.runFor(60_000)
    expect(asked).toBe(before)
  })
})
