import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { startService, type Service } from '../support/service.ts'

const size = 24 * mebibyte

describe.skipIf(!needsBrowser())('an import from a slow source', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let neighbour: Neighbour
  let visit: Visit

  beforeAll(async () => {
    service = held.use(await startService())
    neighbour = held.use(await startNeighbour())
    visit = held.use(await openBrowser())
  })
  afterAll(() => held.disposeAsync())

  const percent = async (page: Page) =>
    Number(await page.getByRole('progressbar', { name: 'Progress of slow' }).getAttribute('value'))

  test('is seen to come in, with its speed and what is left, until it is Ready', async () => {
    const rest = Promise.withResolvers<void>()
    const url = neighbour.serve('/slow.img', {
      bytes: disk(size),
      rate: 3 * mebibyte,
      pause: { at: (size * 3) / 4, until: rest.promise },
    })
    const page = await visit.page(service.base)
    await page.getByText('There is no image yet.').waitFor()
    await service.rest.createFrom('slow', url)
    await page.getByRole('table').getByText('Coming in').waitFor()
    await expect.poll(() => percent(page), { timeout: 15_000 }).toBeGreaterThan(5)
    const before = await percent(page)
    await page.getByText(/\d%, \d+(?:\.\d)? [KM]iB\/s, .*left/).waitFor()
    await picture(page, 'progress-01-list')
    await expect.poll(() => percent(page), { timeout: 15_000 }).toBeGreaterThan(before)
    await page.getByRole('link', { name: 'slow' }).click()
    await page.getByRole('heading', { name: 'slow' }).waitFor()
    await picture(page, 'progress-02-image')
    expect(await percent(page)).toBeLessThan(100)
    rest.resolve()
    await page.locator('.title').getByText('Ready', { exact: true }).waitFor()
    await page.getByRole('heading', { name: 'Use it' }).waitFor()
    expect(await page.getByRole('progressbar').count()).toBe(0)
    await picture(page, 'progress-03-ready')
  })
})
