import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { startService, type Service } from '../support/service.ts'

describe.skipIf(!needsBrowser())('the dialog in which an image is made', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let neighbour: Neighbour
  let visit: Visit
  let url: string

  beforeAll(async () => {
    neighbour = held.use(await startNeighbour())
    url = neighbour.serve('/ubuntu-24.04.img', {
      bytes: disk(8 * mebibyte),
      ranges: 'honest',
      etag: '"1"',
    })
    service = held.use(await startService())
    visit = held.use(await openBrowser())
    // Refusals show in the console as what they are.
    visit.expects(/status of 4(?:09|22)/)
  })
  afterAll(() => held.disposeAsync())

  async function opened(look = {}): Promise<Page> {
    const page = await visit.page(service.base, look)
    await page.getByRole('button', { name: 'Add an image' }).click()
    await page.getByLabel('URL', { exact: true }).waitFor()
    return page
  }

  test('tells first what a URL would be, then imports it, by Enter alone', async () => {
    const page = await opened()
    const field = page.getByLabel('URL', { exact: true })
    await expect.poll(() => field.evaluate((it) => it.matches(':focus'))).toBe(true)
    await picture(page, 'create-01-empty')
    await page.keyboard.type(url)
    await page.keyboard.press('Enter')
    await page.getByText('This would be taken').waitFor()
    await page.getByText('8.0 MiB').first().waitFor()
    await picture(page, 'create-02-verdict')
    expect(await service.rest.names()).toEqual([])
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'ubuntu-24-04' }).waitFor()
    await service.rest.ready('ubuntu-24-04')
    await page.getByText('Ready', { exact: true }).first().waitFor()
  })

  test('forgets what it told when something is changed', async () => {
    const page = await opened()
    await page.getByLabel('URL', { exact: true }).fill(url)
    await page.getByLabel('Name', { exact: true }).fill('changed')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Import' }).waitFor()
    await page.getByLabel('URL', { exact: true }).fill(`${url}?other`)
    await page.getByRole('button', { name: 'Import' }).waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Look at it' }).waitFor()
  })

  test('tells why something is refused, and does not offer to import it', async () => {
    const page = await opened()
    const bytes = Buffer.from('<html><body>Download</body></html>'.repeat(100))
    const path = neighbour.serve('/download', { bytes, ranges: 'honest' })
    await page.getByLabel('URL', { exact: true }).fill(path)
    await page.keyboard.press('Enter')
    await page.getByText('This cannot be imported').waitFor()
    await picture(page, 'create-03-refused')
    await page.getByText('take the address of the file itself').waitFor()
    expect(await page.getByRole('button', { name: 'Import' }).count()).toBe(0)
  })

  test('shows what is wrong at the field, and goes there', async () => {
    const page = await opened()
    await service.rest.createUpload('taken')
    await page.getByLabel('URL', { exact: true }).fill('ubuntu.img')
    await page.getByLabel('Name', { exact: true }).fill('taken')
    await page.keyboard.press('Enter')
    const field = page.getByLabel('URL', { exact: true })
    await expect.poll(() => field.evaluate((it) => it.matches(':focus'))).toBe(true)
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    await page.getByText('There is an image "taken" already').waitFor()
    await picture(page, 'create-04-fields')
    await field.fill(url)
    await page.getByLabel('Name', { exact: true }).fill('checked')
    await page.getByText('More: checksum').click()
    await page.getByLabel('Checksum', { exact: true }).fill('abc')
    await page.keyboard.press('Enter')
    await page.getByText('This is no checksum').waitFor()
    await page.getByLabel('Checksum', { exact: true }).fill('0'.repeat(64))
    await page.getByLabel('What the source asks for').selectOption('token')
    await page.getByLabel('Token', { exact: true }).fill('no token, with spaces')
    await page.keyboard.press('Enter')
    await page.getByText('is no bearer token').waitFor()
    await picture(page, 'create-05-more')
  })

  test('stops looking when it is told to, and when it is closed', async () => {
    const page = await opened()
    const until = Promise.withResolvers<void>()
    const slow = neighbour.serve('/slow.img', {
      size: mebibyte,
      pause: { at: 'head', until: until.promise },
    })
    await page.getByLabel('URL', { exact: true }).fill(slow)
    await page.keyboard.press('Enter')
    await page.getByText('The source is looked at').waitFor()
    await picture(page, 'create-06-looking')
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByRole('button', { name: 'Look at it' }).click()
    await page.getByText('The source is looked at').waitFor()
    await page.keyboard.press('Escape')
    await page.getByLabel('URL', { exact: true }).waitFor({ state: 'hidden' })
    const opener = page.getByRole('button', { name: 'Add an image' })
    await expect.poll(() => opener.evaluate((it) => it.matches(':focus'))).toBe(true)
    until.resolve()
  })

  test('takes a container image from a registry', async () => {
    const page = await opened()
    await service.rest.createFrom('packed', url)
    await service.rest.ready('packed')
    await page.getByRole('tab', { name: 'From a registry' }).click()
    await page.getByLabel('Container image').fill(`${new URL(service.base).host}/cvi/packed:latest`)
    await page.getByLabel('Name', { exact: true }).fill('from-registry')
    await page.keyboard.press('Enter')
    await page.getByText('This would be taken').waitFor()
    await picture(page, 'create-07-registry')
    await page.getByRole('button', { name: 'Import' }).click()
    await service.rest.ready('from-registry')
  })

  test('takes files of this computer', async () => {
    const page = await opened()
    await page.getByRole('tab', { name: 'From a URL' }).press('ArrowLeft')
    await page.getByText('Drop files anywhere').waitFor()
    await picture(page, 'create-08-files')
    const chooser = page.waitForEvent('filechooser')
    await page.getByLabel('Files to send').click()
    await (
      await chooser
    ).setFiles([
      { name: 'One.img', mimeType: '', buffer: disk(mebibyte, 1) },
      { name: 'one.iso', mimeType: '', buffer: disk(mebibyte, 2) },
    ])
    const row = page.getByLabel('Uploads of this page')
    for (const name of ['one', 'one-2']) {
      await row.getByRole('link', { name, exact: true }).waitFor()
      await service.rest.ready(name)
    }
  })

  test('fits a phone, in the dark too', async () => {
    const page = await opened({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' })
    await page.getByLabel('URL', { exact: true }).fill(url)
    await page.getByLabel('Name', { exact: true }).fill('phone')
    await page.keyboard.press('Enter')
    await page.getByText('This would be taken').waitFor()
    await picture(page, 'create-09-phone')
    const wider = await page.evaluate(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    )
    expect(wider).toBe(0)
  })
})
