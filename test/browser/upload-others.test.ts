import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, picture } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { drop, hold } from '../support/dropped.ts'
import { setUploadStage, type UploadStage } from '../support/upload-stage.ts'

const size = 48 * mebibyte

describe.skipIf(!needsBrowser())('a file that somebody else sends, too', () => {
  let stage: UploadStage

  beforeAll(async () => {
    stage = await setUploadStage(size)
  })
  // A test that failed leaves the cable held.
  afterEach(() => stage.relay.cut())
  afterAll(() => stage[Symbol.asyncDispose]())

  /** A page that has sent a quarter of its file, and waits. @returns where others may send, too */
  async function paused(page: Page, name: string): Promise<string> {
    const { relay, service, file } = stage
    const url = await service.rest.createUpload(name)
    await page.getByRole('link', { name, exact: true }).click()
    const reached = relay.holdAt(relay.sent + size / 4)
    await page.getByLabel('Choose the file').setInputFiles(file)
    await reached
    await stage.row(page, name).getByRole('button', { name: 'Pause' }).click()
    relay.cut()
    await expect.poll(async () => (await service.rest.image(name)).status.upload).toBeDefined()
    return url
  }

  async function sendOther(url: string, bytes: number): Promise<void> {
    const version = { 'tus-resumable': '1.0.0' }
    const begun = { ...version, 'upload-length': String(size) }
    // The service may not know yet that the page's connection is gone, and answers 423 until then.
    const begin = async () => (await fetch(url, { method: 'POST', headers: begun })).status
    await expect.poll(begin).toBe(201)
    const part = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' }
    const body = disk(size, 7).subarray(0, bytes)
    const sent = await fetch(url, { method: 'PATCH', headers: { ...version, ...part }, body })
    expect(sent.status).toBe(204)
  }

  test.each([
    ['less', mebibyte],
    // Beyond the part that was on its way.
    ['more', size - mebibyte],
  ])('is not laid behind what is theirs, of which %s is there', async (name, bytes) => {
    const page = await stage.page()
    await sendOther(await paused(page, name), bytes)
    const row = stage.row(page, name)
    await row.getByRole('button', { name: 'Go on' }).click()
    await row.getByText('somebody else has sent a file here').waitFor()
    await picture(page, `upload-12-others-${name}`)
    const { upload } = (await stage.service.rest.image(name)).status
    expect(upload?.offset ?? String(bytes)).toBe(String(bytes))
  })

  test('is compared right after a reload, before the service knows that nobody sends any more', async () => {
    const page = await stage.page()
    const { folder } = stage
    const other = join(folder, 'other.iso')
    await writeFile(other, disk(size, 7))
    await paused(page, 'reloaded')
    page.once('dialog', (dialog) => void dialog.accept())
    await page.reload()
    await page.getByText('Choose the file again').waitFor()
    // As if it were still coming in: nothing is said of an upload then.
    await page.route('**/api/v1/events', async (route) => {
      const image = await stage.service.rest.image('reloaded')
      const status = { ...image.status, upload: undefined, phase: 'Provisioning' }
      const data = JSON.stringify({ ...image, status })
      const body = `event: reset\ndata: {}\nid:\n\nevent: image\ndata: ${data}\nid: 1\n\n`
      await route.fulfill({ status: 200, contentType: 'text/event-stream', body })
    })
    page.once('dialog', (dialog) => void dialog.accept())
    await page.reload()
    await page.getByRole('heading', { name: 'reloaded' }).waitFor()
    await drop(page, { path: other, name: 'reloaded.iso' })
    await page.getByText('This is another file than the one that was begun').waitFor()
  })

  test('says so when it cannot be read, and makes no image of it', async () => {
    const page = await stage.page()
    const path = join(stage.folder, 'gone.img')
    await writeFile(path, disk(mebibyte))
    const held = await hold(page, { path, name: 'gone.img' })
    await rm(path)
    await page.dispatchEvent('body', 'drop', { dataTransfer: held })
    await page.getByText('was changed, moved or deleted').waitFor()
    expect(await stage.service.rest.names()).not.toContain('gone')
  })
})
