import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { drop } from '../support/dropped.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

describe.skipIf(!needsBrowser())('the page', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let visit: Visit
  let file: string

  beforeAll(async () => {
    file = join(held.use(await temporaryFolder()).path, 'some.img')
    await writeFile(file, disk(8 * mebibyte))
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

  test('works where the browser was told to keep nothing', async () => {
    const context = await visit.context()
    await context.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(globalThis, name, {
          get: () => {
            throw new DOMException('told to keep nothing', 'SecurityError')
          },
        })
      }
    })
    const page = await context.newPage()
    await page.goto(service.base)
    await page.getByText('There is no image yet.').waitFor()
    await drop(page, { path: file, name: 'forgotten.img' })
    await page.getByText('byte for byte your file').first().waitFor()
  })
})
