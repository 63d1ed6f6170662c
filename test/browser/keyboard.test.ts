import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { focused, press, reach, stops, write } from '../support/keyboard.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

/** Narrow enough to have every control at once. */
const look = {
  viewport: { width: 700, height: 800 },
  permissions: ['clipboard-read', 'clipboard-write'],
}

describe.skipIf(!needsBrowser())('who has no mouse', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let closed: Service
  let source: Neighbour
  let visit: Visit
  let file: string

  beforeAll(async () => {
    const { path } = held.use(await temporaryFolder())
    file = join(path, 'Chosen.img')
    await writeFile(file, disk(mebibyte))
    source = held.use(await startNeighbour())
    service = held.use(await startService())
    const { tokens } = await writeCallers(path)
    closed = held.use(await startService({ SLIPWAY_TOKENS_FILE: tokens }))
    visit = held.use(await openBrowser())
    // Who has to show a token first is told so by the service.
    visit.expects(/^Failed to load resource: .* status of 401 /)
    for (const name of ['alpha', 'omega']) {
      await send(await service.rest.createUpload(name), new Uint8Array(disk(mebibyte)))
      await service.rest.ready(name)
    }
  })
  afterAll(() => held.disposeAsync())

  const open = async (place: string) => await visit.page(`${service.base}/${place}`, look)
  const rows = (page: Page) => page.locator('.window').getByRole('link')
  const dialog = (page: Page) => page.getByRole('dialog')

  test('comes past everything in the order in which it stands there, and out again', async () => {
    const page = await open('#/images')
    await rows(page).first().waitFor()
    const all = await stops(page)
    const wanted = [
      'a To the contents',
      'a Slipway',
      'a Images',
      'a Storage',
      'a Repositories',
      'button Add an image',
      'input Search',
      'select Phase',
      'a alpha',
      'a omega',
      'a The API',
    ]
    expect(all.filter((stop) => wanted.includes(stop))).toEqual(wanted)
  })

  test('skips what is on every page', async () => {
    const page = await open('#/images')
    await rows(page).first().waitFor()
    await page.keyboard.press('Tab')
    await press(page.getByRole('link', { name: 'To the contents' }))
    await page.keyboard.press('Tab')
    const first = page.getByRole('button', { name: 'Add an image' })
    expect(await first.evaluate((element) => element.matches(':focus'))).toBe(true)
  })

  test('goes to every place, and is at its start', async () => {
    const page = await open('#/images')
    for (const name of ['Storage', 'Repositories', 'Images']) {
      await press(page.getByRole('navigation').getByRole('link', { name }))
      await page.getByRole('heading', { name, level: 2 }).waitFor()
      await expect.poll(() => page.title(), { timeout: 5000 }).toBe(`${name} – Slipway`)
      await page.locator('main:focus, main :focus').first().waitFor()
    }
  })

  test('imports from a URL, after a look at it', async () => {
    const url = source.serve('/From-A-Url.img', { bytes: disk(mebibyte), ranges: 'honest' })
    const page = await open('#/images')
    await press(page.getByRole('button', { name: 'Add an image' }))
    await write(page.getByRole('textbox', { name: 'URL' }), url)
    await write(page.getByRole('textbox', { name: 'Name' }), 'by-keyboard')
    await press(page.getByRole('button', { name: 'Look at it' }))
    await dialog(page)
      .getByText(/would be taken/i)
      .first()
      .waitFor()
    await picture(page, 'keyboard-01-verdict')
    await press(page.getByRole('button', { name: 'Import' }))
    await page.getByRole('heading', { name: 'by-keyboard' }).waitFor()
    await page.locator('main:focus, main :focus').first().waitFor()
    await service.rest.ready('by-keyboard')
    await service.rest.delete('by-keyboard')
  })

  test('sends a file', async () => {
    const page = await open('#/images')
    // From here on: a browser that nobody watches yet opens no dialog that a program could answer.
    const opened = page.waitForEvent('filechooser')
    await press(page.getByRole('button', { name: 'Add an image' }))
    const tab = (name: string) => page.getByRole('tab', { name })
    await press(tab('From a URL'), 'ArrowRight')
    await focused(tab('From a registry'))
    await page.keyboard.press('ArrowRight')
    await focused(tab('From this computer'))
    await press(page.locator('dialog input[type=file]'))
    await (await opened).setFiles(file)
    await page.getByText('byte for byte your file').first().waitFor()
    await service.rest.delete('chosen')
  })

  test('leaves a dialog by Escape, and is where it was before', async () => {
    const page = await open('#/images')
    const add = page.getByRole('button', { name: 'Add an image' })
    await press(add)
    await dialog(page).waitFor()
    expect(await stopsInside(page)).toBe(true)
    await page.keyboard.press('Escape')
    await dialog(page).waitFor({ state: 'hidden' })
    expect(await add.evaluate((element) => element.matches(':focus'))).toBe(true)
  })

  /** A dialog is a place to stay, until it is left. */
  async function stopsInside(page: Page): Promise<boolean> {
    for (let steps = 0; steps < 12; steps += 1) {
      await page.keyboard.press('Tab')
      const inside = `document.activeElement === document.body || document.activeElement.closest('dialog') !== null`
      if (!(await page.evaluate(inside))) return false
    }
    return true
  }

  test('looks at an image, and copies a line', async () => {
    const page = await open('#/images')
    await press(page.getByRole('link', { name: 'alpha', exact: true }))
    await press(page.getByRole('button', { name: /^Copy.*curl/ }).first())
    await page.getByRole('button', { name: 'Dismiss' }).waitFor()
    const copied: string = await page.evaluate('navigator.clipboard.readText()')
    expect(copied).toMatch(/^curl .*alpha/)
    await press(page.getByRole('button', { name: 'Dismiss' }))
    await page.getByRole('button', { name: 'Dismiss' }).waitFor({ state: 'detached' })
  })

  test('tries again what has failed, and deletes it when asked', async () => {
    const url = source.serve('/flaky.img', { bytes: Buffer.from('<!doctype html><p>No</p>') })
    await service.rest.createFrom('flaky', url)
    await service.rest.reaches('flaky', 'Failed')
    source.serve('/flaky.img', { bytes: disk(mebibyte) })
    const page = await open('#/images/flaky')
    await press(page.getByRole('button', { name: 'Try again', exact: true }))
    await page.getByText('skopeo copy').first().waitFor()
    await press(page.getByRole('button', { name: /^Delete/ }))
    await picture(page, 'keyboard-02-delete')
    await page.keyboard.press('Escape')
    await dialog(page).waitFor({ state: 'detached' })
    expect((await service.rest.image('flaky')).status.phase).toBe('Ready')
    await press(page.getByRole('button', { name: /^Delete/ }))
    await press(dialog(page).getByRole('button', { name: 'Delete' }))
    await expect.poll(() => service.rest.names(), { timeout: 15_000 }).not.toContain('flaky')
    await page.locator('main:focus, main :focus').first().waitFor()
  })

  test('searches, chooses and sorts', async () => {
    const page = await open('#/images')
    await rows(page).first().waitFor()
    await write(page.getByRole('searchbox'), 'omeg')
    await expect.poll(() => rows(page).allTextContents(), { timeout: 5000 }).toEqual(['omega'])
    await press(page.getByRole('searchbox'), 'Escape')
    await expect
      .poll(() => rows(page).allTextContents(), { timeout: 5000 })
      .toEqual(['alpha', 'omega'])
    await press(page.getByLabel('Sort by'), 'ArrowDown')
    await expect
      .poll(() => rows(page).allTextContents(), { timeout: 5000 })
      .toEqual(['omega', 'alpha'])
    await reach(page.getByLabel('Phase'))
    await page.keyboard.type('Failed')
    await press(page.getByRole('button', { name: 'Show all' }))
    await expect.poll(() => rows(page).count(), { timeout: 5000 }).toBe(2)
  })

  test('signs in, and out again', async () => {
    const page = await visit.page(closed.base, look)
    await write(page.getByLabel('Token'), 'not this one')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText(/\w/).first().waitFor()
    await write(page.getByLabel('Token'), tokenOf('editor'))
    await page.keyboard.press('Enter')
    await press(page.getByRole('button', { name: 'Add an image' }))
    await page.keyboard.press('Escape')
    await press(page.getByRole('button', { name: 'Sign out' }))
    await page.getByLabel('Token').waitFor()
  })
})
