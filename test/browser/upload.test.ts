import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { drop } from '../support/dropped.ts'
import { startRelay, type Relay } from '../support/relay.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const size = 24 * mebibyte

describe.skipIf(!needsBrowser())('a file that is dropped', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let relay: Relay
  let visit: Visit
  let file: string

  beforeAll(async () => {
    const { path } = held.use(await temporaryFolder())
    file = join(path, 'example.iso')
    await writeFile(file, disk(size))
    service = held.use(await startService())
    relay = held.use(await startRelay(() => service.base))
    visit = held.use(await openBrowser())
  })
  afterAll(() => held.disposeAsync())

  async function ready(page: Page, name: string): Promise<void> {
    await page.getByLabel('Uploads of this page').getByText('byte for byte your file').waitFor()
    expect((await service.rest.image(name)).status.phase).toBe('Ready')
  }

  test('goes up, is Ready, and its checksum is compared', async () => {
    const page = await visit.page(relay.base)
    await page.getByText('There is no image yet.').waitFor()
    await drop(page, file, 'First Disk.iso')
    await ready(page, 'first-disk')
    await picture(page, 'upload-01-ready')
  })

  test('goes on after the connection was cut in the middle', async () => {
    const page = await visit.page(relay.base)
    const reached = relay.holdAt(relay.sent + size / 2)
    await drop(page, file, 'cut.iso')
    await reached
    await picture(page, 'upload-02-cut')
    const before = relay.sent
    relay.cut()
    await ready(page, 'cut')
    expect(relay.sent - before).toBeLessThan(size)
  })

  test('goes on after a reload, when it is dropped again', async () => {
    const page = await visit.page(relay.base)
    const reached = relay.holdAt(relay.sent + size / 2)
    await drop(page, file, 'reload.iso')
    await reached
    page.on('dialog', (dialog) => void dialog.accept())
    relay.cut()
    await page.reload()
    const before = relay.sent
    await page.getByRole('link', { name: 'reload' }).waitFor()
    await drop(page, file, 'reload.iso')
    await ready(page, 'reload')
    expect(relay.sent - before).toBeLessThan(size)
  })

  test('has a name of its own beside another one, and several go at once', async () => {
    const page = await visit.page(relay.base)
    await drop(page, file, 'first-disk.iso')
    await drop(page, file, 'other.iso')
    for (const name of ['first-disk-2', 'other']) {
      await page.getByLabel('Uploads of this page').getByRole('link', { name }).waitFor()
      await service.rest.ready(name)
    }
  })
})
