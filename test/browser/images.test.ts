import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { startService, type Service } from '../support/service.ts'

const many = 5000

describe.skipIf(!needsBrowser())('5 000 images', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let visit: Visit

  beforeAll(async () => {
    service = held.use(await startService())
    for (let from = 0; from < many; from += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          service.rest.create(`image-${from + index}`, { type: 'Upload' }),
        ),
      )
    }
    visit = held.use(await openBrowser())
  })
  afterAll(() => held.disposeAsync())

  test('are listed, of which those that can be seen are drawn', async () => {
    const page = await visit.page(service.base)
    await page.getByText(`${many} images`).waitFor()
    const rows = page.locator('.window .row')
    expect(await rows.count()).toBeLessThan(60)
    await page.locator('.rows').evaluate((element) => element.scrollTo(0, element.scrollHeight))
    await page.getByRole('link', { name: 'image-999', exact: true }).waitFor()
    expect(await rows.count()).toBeLessThan(60)
    await picture(page, 'images-01-end')
  })

  test('are searched, and shown all again', async () => {
    const page = await visit.page(service.base)
    await page.getByText(`${many} images`).waitFor()
    await page.getByRole('searchbox').fill('image-4321')
    await page.getByText(`1 of ${many} images`).waitFor()
    await page.getByRole('searchbox').fill('nothing like it')
    await page.getByRole('button', { name: 'Show all' }).click()
    await page.getByText(`${many} images`).waitFor()
  })
})
