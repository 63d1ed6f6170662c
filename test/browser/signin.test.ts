import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { tokenLine, tokenOf, writeCallers, type CallerPaths } from '../support/callers.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { drop } from '../support/dropped.ts'
import { startRelay, type Relay } from '../support/relay.ts'
import { imageManifest } from '../support/push-content.ts'
import { RegistryClient, expectStatus } from '../support/registry-client.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const size = 16 * mebibyte
/** What the browser says of an answer that refuses somebody. */
const refused = /^Failed to load resource: the server responded with a status of 40[13] /

describe.skipIf(!needsBrowser())('signing in', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let relay: Relay
  let visit: Visit
  let folder: string
  let paths: CallerPaths

  beforeAll(async () => {
    folder = held.use(await temporaryFolder()).path
    paths = await writeCallers(folder)
    await writeFile(join(folder, 'disk.img'), disk(size))
    service = held.use(
      await startService({
        SLIPWAY_TOKENS_FILE: paths.tokens,
        SLIPWAY_ACCESS_FILE: paths.access,
      }),
    )
    relay = held.use(await startRelay(() => service.base))
    const editor = service.rest.as(tokenOf('editor'))
    for (const name of ['shared', 'secret-one']) {
      await send(await editor.createUpload(name), disk(mebibyte, name.length))
    }
    visit = held.use(await openBrowser())
  })
  // Pages whose token has ended would use up the attempts that an address has.
  afterEach(() => visit.leave())
  afterAll(() => held.disposeAsync())

  async function signIn(page: Page, token: string): Promise<void> {
    await page.getByLabel('Token', { exact: true }).fill(token)
    await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click()
  }

  async function signedIn(name: string, hash = ''): Promise<Page> {
    const page = await visit.page(`${relay.base}/${hash}`)
    await signIn(page, tokenOf(name))
    await page.getByRole('banner').getByText(name, { exact: true }).waitFor()
    return page
  }

  /** As when somebody takes a token away: the file is read again within a second. Broken connections tell the page of it. */
  async function rotate(name: string, from: string, to: string): Promise<void> {
    const others = ['admin', 'editor', 'viewer'].filter((each) => each !== name)
    const lines = others.map((each) => tokenLine(each, each))
    await writeFile(paths.tokens, lines.join('') + tokenLine(name, name, to))
    const headers = { authorization: `Bearer ${from}` }
    const status = async () => (await fetch(`${service.base}/api/v1/caller`, { headers })).status
    await expect.poll(status, { timeout: 10_000 }).toBe(401)
    relay.cut()
  }

  test('is asked for before anything was refused, and says what is wrong with a token', async () => {
    const page = await visit.page(relay.base)
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(visit.complaints).toEqual([])
    await picture(page, 'signin-01-asked')
    await signIn(page, 'not a token')
    await page.getByRole('alert').getByText('That is no token').waitFor()
    visit.expects(refused)
    await signIn(page, 'nobody-has-this')
    await page.getByRole('alert').getByText('does not know this token').waitFor()
    await picture(page, 'signin-02-wrong')
    await page.emulateMedia({ colorScheme: 'dark' })
    await picture(page, 'signin-02-wrong-dark')
    await signIn(page, tokenOf('viewer'))
    await page.getByText('1 image', { exact: true }).waitFor()
  })

  test('leads to where the address says', async () => {
    const page = await signedIn('viewer', '#/storage')
    await page.getByText('are stored').waitFor()
    await page.getByRole('link', { name: 'shared' }).first().waitFor()
  })

  test('offers a viewer nothing but to look', async () => {
    const page = await signedIn('viewer')
    await page.getByText('1 image', { exact: true }).waitFor()
    expect(await page.getByRole('button', { name: 'Add an image' }).count()).toBe(0)
    await drop(page, { path: join(folder, 'disk.img'), name: 'dropped.img' })
    await page.getByRole('link', { name: 'shared' }).click()
    await page.getByRole('heading', { name: 'shared' }).waitFor()
    await picture(page, 'signin-03-viewer')
    expect(await page.getByRole('button', { name: /Delete/ }).count()).toBe(0)
    expect(await page.getByLabel('Uploads of this page').count()).toBe(0)
    expect(await service.rest.as(tokenOf('admin')).names()).toEqual(['secret-one', 'shared'])
  })

  test('offers an editor to change images, and an admin to look after the storage', async () => {
    const editor = await signedIn('editor')
    await editor.getByText('2 images').waitFor()
    await editor.getByRole('button', { name: 'Add an image' }).waitFor()
    await editor.getByRole('link', { name: 'Storage' }).click()
    await editor.getByText('are stored').waitFor()
    expect(await editor.getByRole('button', { name: /Collect/ }).count()).toBe(0)
    const admin = await signedIn('admin', '#/storage')
    await admin.getByRole('button', { name: /Collect/ }).waitFor()
    await picture(admin, 'signin-04-admin')
  })

  /** Only `ci-a` may change what is there. */
  async function pushAsTeam(repository: string): Promise<void> {
    const client = new RegistryClient(() => service.base)
    const headers = { authorization: `Bearer ${tokenOf('ci-a')}` }
    const body = Buffer.from('{}')
    const part = { digest: digestOf(body), size: body.length }
    const blobs = `/v2/${repository}/blobs/uploads/?digest=${part.digest}`
    await expectStatus(await client.ask('POST', blobs, { headers, body }), 201)
    const { bytes, mediaType } = imageManifest(part, [part])
    const put = { headers: { ...headers, 'content-type': mediaType }, body: bytes }
    await expectStatus(await client.ask('PUT', `/v2/${repository}/manifests/v1`, put), 201)
  }

  test('tells what a rule refuses where it was tried', async () => {
    visit.expects(refused)
    await pushAsTeam('team-a/app')
    const page = await signedIn('editor', '#/repositories/team-a/app')
    await page.getByRole('button', { name: 'Delete what v1 leads to' }).click()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    const tags = page.getByRole('list', { name: 'Tags' })
    await tags.getByRole('alert').getByText('"editor" may not delete team-a/app').waitFor()
    await picture(page, 'signin-06-rule')
  })

  test('keeps the token with the tab, out of addresses and logs', async () => {
    const page = await signedIn('viewer')
    await page.reload()
    await page.getByText('1 image', { exact: true }).waitFor()
    expect(page.url()).not.toContain(tokenOf('viewer'))
    expect(service.logs.toString()).not.toContain(tokenOf('viewer'))
    expect(await page.evaluate(() => JSON.stringify(localStorage))).toBe('{}')
    const other = await page.context().newPage()
    await other.goto(relay.base)
    await other.getByRole('heading', { name: 'Sign in' }).waitFor()
  })

  test('ends with signing out, and then nothing of it is left', async () => {
    const page = await signedIn('editor')
    await page.getByRole('link', { name: 'secret-one' }).waitFor()
    // Whoever knows the address of an upload may send to it.
    await page.evaluate(() => sessionStorage.setItem('slipway-upload-uid', 'upload/its-secret'))
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).toBe('{}')
    await signIn(page, tokenOf('viewer'))
    await page.getByText('1 image', { exact: true }).waitFor()
    expect(await page.getByRole('link', { name: 'secret-one' }).count()).toBe(0)
  })

  test('is asked for again when a token ends, above what was being done', async () => {
    // The connection is cut, and the service may still hold the upload when it goes on.
    visit.expects(refused, / net::ERR_CONNECTION_RESET$/, / status of 4(?:09|23) /)
    const page = await signedIn('editor')
    const reached = relay.holdAt(relay.sent + size / 2)
    await drop(page, { path: join(folder, 'disk.img'), name: 'sent.img' })
    await reached
    await page.getByRole('button', { name: 'Add an image' }).click()
    await page.getByRole('textbox', { name: 'URL' }).fill('https://example.com/half-typed')
    await rotate('editor', tokenOf('editor'), 'the-next-token')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.getByText('does not take your token any more').waitFor()
    await picture(page, 'signin-05-expired')
    await page.keyboard.press('Escape')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor({ state: 'hidden' })
    await page.keyboard.press('Escape')
    await page.getByRole('banner').getByRole('button', { name: 'Sign in' }).click()
    await page.getByLabel('Token', { exact: true }).fill('the-next-token')
    await page.keyboard.press('Enter')
    await page.getByLabel('Uploads of this page').getByText('byte for byte').waitFor()
    await rotate('editor', 'the-next-token', tokenOf('editor'))
  })

  test('keeps a form that was half filled in', async () => {
    visit.expects(refused)
    const page = await signedIn('admin')
    await page.getByRole('button', { name: 'Add an image' }).click()
    await page.getByRole('textbox', { name: 'URL' }).fill('https://example.com/half-typed')
    await rotate('admin', tokenOf('admin'), 'another-token')
    await page.getByLabel('Token', { exact: true }).fill('another-token')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Sign in' }).waitFor({ state: 'detached' })
    expect(await page.getByRole('textbox', { name: 'URL' }).inputValue()).toBe(
      'https://example.com/half-typed',
    )
    await rotate('admin', 'another-token', tokenOf('admin'))
  })
})
