import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { startService, type Service } from '../support/service.ts'

describe.skipIf(!needsBrowser())('the page', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let visit: Visit

  beforeAll(async () => {
    service = held.use(await startService())
    visit = held.use(await openBrowser())
  })
  afterAll(() => held.disposeAsync())

  test('comes from this service alone, and is small', async () => {
    const page = await visit.page(service.base)
    await page.getByRole('link', { name: 'Images' }).waitFor()
    await picture(page, 'page-01-empty')
    const sizes = await page.evaluate(() =>
      performance
        .getEntries()
        .map((entry) => ('transferSize' in entry ? Number(entry.transferSize) : 0)),
    )
    const total = sizes.reduce((sum, size) => sum + size, 0)
    expect(total).toBeGreaterThan(1000)
    expect(total).toBeLessThan(200 * 1024)
    expect(visit.hosts).toEqual([new URL(service.base).host])
  })
})
