import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, picture } from '../support/browser.ts'
import { mebibyte } from '../support/disks.ts'
import { drop } from '../support/dropped.ts'
import { problemOf } from '../support/rest.ts'
import { setUploadStage, type UploadStage } from '../support/upload-stage.ts'

const size = 24 * mebibyte
/** What lay in the buffers of sockets when the cable broke is lost with it. */
const between = 6 * mebibyte

describe.skipIf(!needsBrowser())('files that are sent', () => {
  let stage: UploadStage

  beforeAll(async () => {
    stage = await setUploadStage(size)
  })
  // A test that failed leaves the cable held.
  afterEach(() => stage.relay.cut())
  afterAll(() => stage[Symbol.asyncDispose]())

  test('go three at once, the fourth waits, and each has a name of its own', async () => {
    const page = await stage.page()
    const { relay, file } = stage
    const reached = relay.holdAt(relay.sent + size)
    const names = ['disk.iso', 'Disk.iso', 'other.img', 'last.iso']
    await drop(page, ...names.map((name) => ({ path: file, name })))
    await reached
    await stage.row(page, 'last').getByText('Waits for its turn').waitFor()
    await picture(page, 'upload-06-several')
    relay.cut()
    for (const name of ['disk', 'disk-2', 'other', 'last']) await stage.compared(page, name)
    await picture(page, 'upload-07-all-there')
    await stage.row(page, 'last').getByRole('button', { name: 'Hide' }).click()
    await stage.row(page, 'last').waitFor({ state: 'detached' })
  })

  test('pause, and go on where they were', async () => {
    const page = await stage.page()
    const { relay } = stage
    const reached = relay.holdAt(relay.sent + size / 2)
    await stage.drop(page, 'later.iso')
    await reached
    const row = stage.row(page, 'later')
    await row.getByRole('button', { name: 'Pause' }).click()
    await row.getByText('Paused at').waitFor()
    await picture(page, 'upload-08-paused')
    relay.cut()
    const before = relay.sent
    await row.getByRole('button', { name: 'Go on' }).click()
    await stage.compared(page, 'later')
    expect(relay.sent - before).toBeLessThan(size / 2 + between + mebibyte)
  })

  test('stop, and the image is deleted', async () => {
    const page = await stage.page()
    const { relay, service } = stage
    const reached = relay.holdAt(relay.sent + size / 2)
    await stage.drop(page, 'unwanted.iso')
    await reached
    await stage.row(page, 'unwanted').getByRole('button', { name: 'Stop' }).click()
    await page.getByText('Stop sending unwanted?').waitFor()
    await picture(page, 'upload-09-stop')
    await page.getByRole('button', { name: 'Go on sending' }).click()
    await stage.row(page, 'unwanted').getByRole('button', { name: 'Stop' }).click()
    relay.cut()
    await page.getByRole('button', { name: 'Delete the image' }).click()
    await page.getByText('unwanted was deleted').waitFor()
    const answer = await fetch(service.rest.url('/unwanted'))
    expect((await problemOf(answer)).code).toBe('IMAGE_NOT_FOUND')
  })

  test('are told why they are refused', async () => {
    const page = await stage.page()
    const text = join(stage.folder, 'notes.txt')
    await writeFile(text, 'These are notes, and no disk.\n'.repeat(10_000))
    stage.visit.expects(/status of 422/)
    await drop(page, { path: text, name: 'notes.txt' })
    await stage.row(page, 'notes-txt').getByText('Refused').waitFor()
    await picture(page, 'upload-10-refused')
    const empty = join(stage.folder, 'empty.img')
    await writeFile(empty, '')
    await drop(page, { path: empty, name: 'empty.img' })
    await page.getByText('the file is empty').waitFor()
    expect(await stage.service.rest.names()).not.toContain('empty')
  })

  test('are chosen where an image waits for its file', async () => {
    const page = await stage.page()
    await stage.service.rest.createUpload('chosen')
    await page.getByRole('link', { name: 'chosen', exact: true }).click()
    await page.getByText('It waits for its file').waitFor()
    await page.getByText('/upload/').waitFor()
    await picture(page, 'upload-11-waiting')
    await page.getByLabel('Choose the file').setInputFiles(stage.file)
    await stage.compared(page, 'chosen')
  })
})
