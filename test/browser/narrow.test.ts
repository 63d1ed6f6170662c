import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { startService, type Service } from '../support/service.ts'

const phone = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }

describe.skipIf(!needsBrowser())('the page as a system wants it', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let visit: Visit

  beforeAll(async () => {
    service = held.use(await startService())
    const source = held.use(await startNeighbour())
    // Of no known length, and longer on its way than anybody looks: nobody can say how far it has come.
    const rate = mebibyte / 600
    const slow = source.serve('/slow.img', { bytes: disk(mebibyte), rate, framing: 'chunked' })
    await service.rest.createFrom('coming', slow)
    await service.rest.reaches('coming', 'Provisioning')
    visit = held.use(await openBrowser())
  })
  afterAll(() => held.disposeAsync())

  async function open(look: NonNullable<Parameters<Visit['page']>[1]>): Promise<Page> {
    const page = await visit.page(`${service.base}/#/images`, look)
    await page.locator('progress').first().waitFor()
    return page
  }

  test('moves nothing where less motion is asked for', async () => {
    const page = await open({ reducedMotion: 'no-preference' })
    const moving = async () => await page.evaluate<number>('document.getAnimations().length')
    await expect.poll(moving, { timeout: 5000 }).toBeGreaterThan(0)
    await page.emulateMedia({ reducedMotion: 'reduce' })
    await expect.poll(moving, { timeout: 5000 }).toBe(0)
  })

  test('has room for fingers', async () => {
    const page = await open(phone)
    const sizes = await page
      .locator('button:visible, select:visible, input:visible, nav a:visible')
      .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().height))
    expect(sizes.length).toBeGreaterThan(4)
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(44)
    await picture(page, 'narrow-01-images')
  })

  test('follows the system into the dark and back', async () => {
    const page = await open({ colorScheme: 'dark' })
    const paper = async () =>
      await page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
    const dark = await paper()
    await page.emulateMedia({ colorScheme: 'light' })
    await expect.poll(paper, { timeout: 5000 }).toBe('rgb(255, 255, 255)')
    expect(dark).not.toBe('rgb(255, 255, 255)')
  })

  test('keeps its lines where the system chooses the colours', async () => {
    const page = await open({ forcedColors: 'active' })
    const line = async (name: string): Promise<string> => {
      const link = page.getByRole('navigation').getByRole('link', { name })
      return await link.evaluate(
        (element) => element.ownerDocument.defaultView.getComputedStyle(element).borderBottomColor,
      )
    }
    expect(await line('Images')).not.toBe(await line('Storage'))
    await picture(page, 'narrow-02-forced-colors')
  })
})
