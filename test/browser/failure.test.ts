import { createHash } from 'node:crypto'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { startService, type Service } from '../support/service.ts'

const bytes = disk(mebibyte)
const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

describe.skipIf(!needsBrowser())('an image that fails', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let neighbour: Neighbour
  let visit: Visit
  let good: string

  beforeAll(async () => {
    service = held.use(await startService())
    neighbour = held.use(await startNeighbour())
    good = neighbour.serve('/good.img', { bytes })
    visit = held.use(await openBrowser())
  })
  afterAll(() => held.disposeAsync())

  const at = (name: string) => visit.page(`${service.base}#/images/${name}`)
  const isReady = (page: Page) =>
    page.locator('.title').getByText('Ready', { exact: true }).waitFor()

  test('says what is the matter and what to do, and is made anew from another URL', async () => {
    const gone = neighbour.serve('/gone.img', { status: 404 })
    const { uid } = await service.rest.createFrom('moved', gone)
    await service.rest.until('moved', ({ status }) => status.phase === 'Failed')
    const page = await at('moved')
    const box = page.getByRole('region', { name: 'What is the matter' })
    await box.getByText('answered 404 Not Found').waitFor()
    await box.getByText('Nothing is there under this URL.').waitFor()
    await picture(page, 'failure-01-not-found')
    await page.getByRole('button', { name: 'Change and try again' }).click()
    const dialog = page.getByRole('dialog', { name: 'Change moved' })
    await dialog.getByText('the failed moved is deleted and made anew').waitFor()
    expect(await dialog.getByLabel('Name', { exact: true }).inputValue()).toBe('moved')
    expect(await dialog.getByLabel('URL', { exact: true }).inputValue()).toBe(gone)
    await picture(page, 'failure-02-change')
    await dialog.getByLabel('URL', { exact: true }).fill(good)
    await dialog.getByRole('button', { name: 'Look at it' }).click()
    await dialog.getByRole('button', { name: 'Import' }).click()
    await isReady(page)
    await picture(page, 'failure-03-ready')
    expect((await service.rest.image('moved')).uid).not.toBe(uid)
  })

  test('for its checksum is made anew with another one', async () => {
    const checksum = { sha256: sha256Of(disk(mebibyte, 1)) }
    await service.rest.create('checked', { type: 'HTTP', http: { url: good, checksum } })
    await service.rest.until('checked', ({ status }) => status.phase === 'Failed')
    const page = await at('checked')
    await page.getByText('Compare the checksum with the one that the publisher tells.').waitFor()
    await page.getByRole('button', { name: 'Change and try again' }).click()
    const field = page.getByRole('dialog').getByLabel('Checksum', { exact: true })
    expect(await field.inputValue()).toBe(checksum.sha256)
    await field.fill(sha256Of(bytes))
    await page.getByRole('button', { name: 'Look at it' }).click()
    await page.getByRole('button', { name: 'Import' }).click()
    await isReady(page)
  })

  test('is not lost without a word when none can be made in its place', async () => {
    await service.rest.createFrom('replaced', neighbour.serve('/gone.img', { status: 404 }))
    await service.rest.until('replaced', ({ status }) => status.phase === 'Failed')
    visit.expects(/^Failed to load resource: net::ERR_FAILED$/)
    const page = await at('replaced')
    await page.route('**/api/v1/images', (route) => route.abort())
    await page.getByRole('button', { name: 'Change and try again' }).click()
    const dialog = page.getByRole('dialog', { name: 'Change replaced' })
    await dialog.getByLabel('URL', { exact: true }).fill(good)
    await dialog.getByRole('button', { name: 'Look at it' }).click()
    await dialog.getByRole('button', { name: 'Import' }).click()
    await dialog.getByText('the service does not answer').waitFor()
    await page.keyboard.press('Escape')
    await page.getByText('was deleted, and none was made in its place').waitFor()
    await picture(page, 'failure-08-not-replaced')
  })

  test('is tried again as it is, once its source was mended', async () => {
    await service.rest.createFrom('mended', neighbour.serve('/late.img', { status: 410 }))
    await service.rest.until('mended', ({ status }) => status.phase === 'Failed')
    const page = await at('mended')
    await page.getByRole('button', { name: 'Try again', exact: true }).waitFor()
    neighbour.serve('/late.img', { bytes })
    await page.getByRole('button', { name: 'Try again', exact: true }).click()
    await isReady(page)
  })

  test('for a while only tells when it is tried again', async () => {
    const busy = { status: 503, headers: { 'retry-after': '600' } }
    await service.rest.createFrom('busy', neighbour.serve('/busy.img', busy))
    const page = await at('busy')
    const next = page.getByText(/The next try begins\s+in \d+ min \d+ s/)
    await next.waitFor()
    await page.getByText('the service tries again by itself').waitFor()
    const before = await next.textContent()
    await expect.poll(() => next.textContent(), { timeout: 5000 }).not.toBe(before)
    await picture(page, 'failure-04-retried')
  })

  test('is deleted only after a question, and the focus goes on', async () => {
    await service.rest.createFrom('unwanted', good)
    await service.rest.ready('unwanted')
    const page = await at('unwanted')
    await page.getByRole('button', { name: 'Delete…' }).click()
    const question = page.getByRole('dialog', { name: 'Delete unwanted?' })
    await picture(page, 'failure-05-delete')
    await question.getByRole('button', { name: 'Cancel' }).click()
    await question.waitFor({ state: 'detached' })
    expect((await service.rest.image('unwanted')).status.phase).toBe('Ready')
    await page.getByRole('button', { name: 'Delete…' }).click()
    await question.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByText('unwanted was deleted').waitFor()
    expect(new URL(page.url()).hash).toBe('#/images')
    await expect.poll(() => page.evaluate('document.activeElement.textContent')).toBe('Images')
    expect(await service.rest.names()).not.toContain('unwanted')
  })

  test('or not is told to be gone while it is looked at, and shown when it comes again', async () => {
    await service.rest.createFrom('fleeting', good)
    const page = await at('fleeting')
    await isReady(page)
    await service.rest.delete('fleeting')
    await page.getByText('This image was deleted.').waitFor()
    await picture(page, 'failure-06-gone')
    await service.rest.createFrom('fleeting', good)
    await page.getByText('This is a new image').waitFor()
    await isReady(page)
  })

  test('cannot be started again without its credentials, which is said beside the button', async () => {
    const secret = neighbour.serve('/secret.img', { status: 401 })
    const http = { url: secret, auth: { bearer: 'not-this-one' } }
    await service.rest.create('secret', { type: 'HTTP', http })
    await service.rest.until('secret', ({ status }) => status.phase === 'Failed')
    visit.expects(/^Failed to load resource: the server responded with a status of 409 /)
    const page = await at('secret')
    await page.getByText('The source wants to know who asks.').waitFor()
    await page.getByRole('button', { name: 'Try again', exact: true }).click()
    await page.getByRole('alert').getByText('were erased when it ended').waitFor()
    await picture(page, 'failure-07-erased')
  })
})
