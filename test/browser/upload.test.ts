import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, picture } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { drop } from '../support/dropped.ts'
import { setUploadStage, type UploadStage } from '../support/upload-stage.ts'

const size = 48 * mebibyte
/** A browser sends the part anew by itself whose connection broke; the third one has 16 MiB. */
const part = 16 * mebibyte
/** What lay in the buffers of sockets when the cable broke is lost with it. */
const between = 6 * mebibyte
/** Of what else a page asks for meanwhile. */
const heads = mebibyte

describe.skipIf(!needsBrowser())('a file that is dropped', () => {
  let stage: UploadStage

  beforeAll(async () => {
    stage = await setUploadStage(size)
  })
  // A test that failed leaves the cable held.
  afterEach(() => stage.relay.cut())
  afterAll(() => stage[Symbol.asyncDispose]())

  async function stopKeeping(page: Page, name: string): Promise<void> {
    await stage.row(page, name).getByRole('button', { name: 'Stop' }).click()
    await page.getByRole('button', { name: 'Stop, keep what is there' }).click()
  }

  test('goes up, is Ready, and its checksum is compared', async () => {
    const page = await stage.page()
    await stage.drop(page, 'First Disk.iso')
    await stage.compared(page, 'first-disk')
    await picture(page, 'upload-01-ready')
  })

  test('is told apart from what is stored when a byte was changed on the way', async () => {
    const page = await stage.page()
    const path = join(stage.folder, 'changed.img')
    await writeFile(path, disk(mebibyte, 1))
    await page.route(/\/upload\//, (route) =>
      route.continue(route.request().method() === 'PATCH' ? { postData: disk(mebibyte, 2) } : {}),
    )
    await drop(page, { path, name: 'changed.img' })
    await stage.row(page, 'changed').getByText('is not your file').waitFor()
    await picture(page, 'upload-12-changed')
  })

  test('goes on after the connection was cut in the middle', async () => {
    const page = await stage.page()
    const { relay } = stage
    const reached = relay.holdAt(relay.sent + size / 2)
    await stage.drop(page, 'cut.iso')
    await reached
    await picture(page, 'upload-02-held')
    const before = relay.sent
    relay.cut()
    await stage.compared(page, 'cut')
    expect(relay.sent - before).toBeLessThan(size / 2 + part + between + heads)
  })

  test('says that there is no network, and goes on when it is back', async () => {
    const page = await stage.page()
    const { relay } = stage
    const reached = relay.holdAt(relay.sent + size / 2)
    await stage.drop(page, 'away.iso')
    await reached
    await page.context().setOffline(true)
    relay.cut()
    await stage.row(page, 'away').getByText('It goes on by itself').waitFor()
    await picture(page, 'upload-03-away')
    await page.context().setOffline(false)
    await stage.compared(page, 'away')
  })

  test('goes on after a reload, when it is dropped again', async () => {
    const page = await stage.page()
    const { relay } = stage
    const reached = relay.holdAt(relay.sent + size / 2)
    await stage.drop(page, 'reload.iso')
    await reached
    const asked = page.waitForEvent('dialog')
    const reloaded = page.reload()
    const question = await asked
    expect(question.type()).toBe('beforeunload')
    await question.accept()
    relay.cut()
    await reloaded
    await page.getByRole('link', { name: 'reload', exact: true }).click()
    await page.getByText('Choose the file again').waitFor()
    await picture(page, 'upload-04-reloaded')
    const before = relay.sent
    await stage.drop(page, 'reload.iso')
    await stage.compared(page, 'reload')
    expect(relay.sent - before).toBeLessThan(size / 2 + between + heads)
  })

  test('of other contents is not laid behind the beginning of another one', async () => {
    const page = await stage.page()
    const { relay } = stage
    const other = join(stage.folder, 'other.iso')
    await writeFile(other, disk(size, 7))
    const reached = relay.holdAt(relay.sent + size / 2)
    await stage.drop(page, 'twin.iso')
    await reached
    await stopKeeping(page, 'twin')
    relay.cut()
    await page.getByRole('link', { name: 'twin', exact: true }).click()
    await page.getByText('Choose the file again').waitFor()
    await drop(page, { path: other, name: 'twin.iso' })
    await page.getByText('This is another file than the one that was begun').waitFor()
    await picture(page, 'upload-05-other-file')
    await page.getByRole('button', { name: 'Send it from the beginning' }).click()
    await stage.compared(page, 'twin')
  })

  test('that was changed since is asked about', async () => {
    const page = await stage.page()
    const { relay } = stage
    const reached = relay.holdAt(relay.sent + size / 2)
    await stage.drop(page, 'touched.iso')
    await reached
    await stopKeeping(page, 'touched')
    relay.cut()
    await page.getByRole('link', { name: 'touched', exact: true }).click()
    await page.getByText('Choose the file again').waitFor()
    const before = relay.sent
    await stage.drop(page, 'touched.iso', 1_800_000_000_000)
    await page.getByText('Is touched.iso the file that was begun?').waitFor()
    await page.getByRole('button', { name: 'It is: send the rest' }).click()
    await stage.compared(page, 'touched')
    expect(relay.sent - before).toBeLessThan(size / 2 + between + heads)
  })
})
