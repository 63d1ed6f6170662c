import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seedImages } from '../bench/seed.ts'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { examined } from '../support/examined.ts'
import { startService, type Service } from '../support/service.ts'

const many = 5000

describe.skipIf(!needsBrowser())('5 000 images', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let visit: Visit
  let names: readonly string[]

  beforeAll(async () => {
    service = held.use(await startService())
    await service.stop()
    names = await seedImages(service.folder, many)
    await service.start()
    visit = held.use(await openBrowser())
  })
  afterAll(() => held.disposeAsync())

  const nameAt = (index: number) => names.at(index) ?? ''
  const link = (page: Page, index: number) =>
    page.getByRole('link', { name: nameAt(index), exact: true })
  const rows = (page: Page) => page.locator('.window .row')
  const focused = (page: Page) => page.evaluate<string | null>('document.activeElement.textContent')

  async function all(hash = ''): Promise<Page> {
    const page = await visit.page(service.base + hash)
    await page.getByText(`${many} images`).waitFor()
    return page
  }

  test('are listed, of which those that can be seen are drawn', async () => {
    const page = await all()
    expect(await rows(page).count()).toBeLessThan(60)
    await examined(page, 'images-01-many')
    await page.locator('.rows').evaluate((element) => element.scrollTo(0, element.scrollHeight))
    await link(page, -1).waitFor()
    expect(await rows(page).count()).toBeLessThan(60)
  })

  test('are searched, and shown all again', async () => {
    const page = await all()
    await page.getByRole('searchbox').fill('4321')
    await page.getByText(`1 of ${many} images`).waitFor()
    expect(new URL(page.url()).hash).toBe('#/images?search=4321')
    await page.getByRole('searchbox').fill('nothing like it')
    await page.getByRole('button', { name: 'Show all' }).click()
    await page.getByText(`${many} images`).waitFor()
  })

  test('are shown as a link says, and one comes back to them where one was', async () => {
    const page = await visit.page(
      `${service.base}#/images?search=image-00001&order=-name&kind=disk`,
    )
    await page
      .getByText(`0 of ${many} images`)
      .or(page.getByText(`100 of ${many} images`))
      .waitFor()
    await page.goto(`${service.base}#/images?search=image-00001&order=-name`)
    await page.getByText(`100 of ${many} images`).waitFor()
    expect(await rows(page).first().textContent()).toContain(nameAt(199))
    await page.locator('.rows').evaluate((element) => element.scrollTo(0, 2000))
    await link(page, 155).click()
    await page.getByRole('heading', { name: nameAt(155) }).waitFor()
    await page.goBack()
    await link(page, 155).waitFor()
    const top = () => page.locator('.rows').evaluate((element) => element.scrollTop)
    await expect.poll(top).toBe(2000)
    await link(page, 155).click()
    await page.getByRole('link', { name: 'All images' }).click()
    await expect.poll(top).toBe(2000)
  })

  test('are sorted by the heads of the columns', async () => {
    const page = await all()
    const head = page.getByRole('columnheader', { name: 'Name' })
    expect(await head.getAttribute('aria-sort')).toBe('ascending')
    await head.getByRole('button').click()
    await link(page, -1).waitFor()
    expect(await head.getAttribute('aria-sort')).toBe('descending')
    await page.getByRole('columnheader', { name: 'Size' }).getByRole('button').click()
    await link(page, 0).waitFor()
    expect(await head.getAttribute('aria-sort')).toBe(null)
  })

  test('are sorted by a list of orders on a narrow page', async () => {
    const look = { viewport: { width: 360, height: 640 } }
    const page = await visit.page(service.base, look)
    await page.getByLabel('Sort by').selectOption('Name, Z to A')
    await link(page, -1).waitFor()
    await examined(page, 'images-02-narrow')
    const tops = await page
      .locator('.tools select')
      .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().top))
    expect(tops[0]).toBe(tops[1])
  })

  test('are walked through with Tab, far beyond what is drawn', async () => {
    const page = await all()
    await link(page, 0).focus()
    for (let index = 1; index <= 60; index += 1) {
      await page.keyboard.press('Tab')
      expect(await focused(page)).toBe(nameAt(index))
    }
    for (let index = 59; index >= 20; index -= 1) {
      await page.keyboard.press('Shift+Tab')
      expect(await focused(page)).toBe(nameAt(index))
    }
  })

  test('are walked through with the keys of long lists', async () => {
    const page = await all()
    await link(page, 0).focus()
    const reach = async (key: string, index: number) => {
      await page.keyboard.press(key)
      await expect.poll(() => focused(page)).toBe(nameAt(index))
      expect(await link(page, index).isVisible()).toBe(true)
    }
    await reach('ArrowDown', 1)
    await reach('End', -1)
    await reach('ArrowUp', -2)
    await reach('Home', 0)
    await page.keyboard.press('PageDown')
    await expect.poll(() => focused(page)).not.toBe(nameAt(0))
    await picture(page, 'images-03-focus')
  })

  test('keep the focus on a row that is out of sight, and give it on when its image goes', async () => {
    const page = await all()
    await link(page, 12).focus()
    await page.locator('.rows').evaluate((element) => element.scrollTo(0, 100_000))
    await link(page, 1930).waitFor()
    expect(await focused(page)).toBe(nameAt(12))
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe(nameAt(13))
    await service.rest.delete(nameAt(13))
    await expect.poll(() => focused(page)).toBe(nameAt(14))
  })
})
