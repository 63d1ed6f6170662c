import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, type Visit } from '../support/browser.ts'
import { startService, type Service } from '../support/service.ts'

describe.skipIf(!needsBrowser())('the page of the API', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let visit: Visit

  beforeAll(async () => {
    service = held.use(await startService())
    visit = held.use(await openBrowser())
  })
  afterAll(() => held.disposeAsync())

  test('is found from the footer, and shows lines for the service as it was reached', async () => {
    const page = await visit.page(service.base)
    await page.getByRole('link', { name: 'The API' }).click()
    await page.getByRole('heading', { name: /^The API of Slipway/ }).waitFor()
    const line = page.locator('#listImages pre[data-line]')
    expect(await line.textContent()).toBe(
      `curl "${service.base}/api/v1/images" -H "Authorization: Bearer $SLIPWAY_TOKEN"`,
    )
  })

  test('gives a line to who presses its button', async () => {
    const page = await visit.page(service.base)
    await page.goto(`${service.base}/docs#isAlive`)
    await page.getByRole('button', { name: 'Copy the line of isAlive' }).press('Enter')
    await page
      .locator('#isAlive')
      .getByText(/^(?:Copied|Selected)$/)
      .waitFor()
  })

  test('leads from a call to its schema by the keyboard', async () => {
    const page = await visit.page(service.base)
    await page.goto(`${service.base}/docs`)
    const link = page.locator('#getImage').getByRole('link', { name: 'Image', exact: true }).first()
    await link.press('Enter')
    expect(new URL(page.url()).hash).toBe('#schema-Image')
    expect(await page.locator('#schema-Image').isVisible()).toBe(true)
  })
})
