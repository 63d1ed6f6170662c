import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { needsBrowser, openBrowser, type Visit } from '../support/browser.ts'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { examined } from '../support/examined.ts'
import { openGallery, type Gallery } from '../support/gallery.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const looks = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  narrow: { viewport: { width: 360, height: 740 }, colorScheme: 'light', hasTouch: true },
  // What is left of 1280 by 800 when everything is twice as large.
  enlarged: { viewport: { width: 640, height: 400 }, colorScheme: 'light', deviceScaleFactor: 2 },
} as const

/** Milliseconds for all of them in one look: each is drawn, examined and kept as a picture. */
const manyViews = 300_000

describe.skipIf(!needsBrowser())('nobody is kept out', () => {
  const held = new AsyncDisposableStack()
  let gallery: Gallery
  let closed: Service
  let visit: Visit

  beforeAll(async () => {
    const { path } = held.use(await temporaryFolder())
    const file = join(path, 'some.img')
    await writeFile(file, disk(8 * mebibyte))
    gallery = await openGallery(held, file)
    const { tokens } = await writeCallers(path)
    closed = held.use(await startService({ SLIPWAY_TOKENS_FILE: tokens }))
    visit = held.use(await openBrowser())
    // Who has to show a token first is told so by the service.
    visit.expects(/^Failed to load resource: .* status of 401 /)
  })
  afterAll(() => held.disposeAsync())

  test.each(Object.entries(looks))(
    'of any view, %s',
    async (name, look) => {
      const context = await visit.context(look)
      for (const exhibit of gallery.exhibits) {
        const page = await context.newPage()
        await page.goto(`${gallery.base}/${exhibit.place}`)
        await exhibit.look(page)
        await examined(page, `view-${exhibit.name}-${name}`)
        await page.close()
        exhibit.leave?.()
      }
      await context.close()
    },
    manyViews,
  )

  test.each(Object.entries(looks))(
    'who signs in, and finds nothing yet, %s',
    async (name, look) => {
      const page = await visit.page(closed.base, look)
      await page.getByLabel('Token').waitFor()
      await examined(page, `view-sign-in-${name}`)
      await page.getByLabel('Token').fill(tokenOf('viewer'))
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('There is no image yet.').waitFor()
      await examined(page, `view-empty-${name}`)
    },
  )
})
