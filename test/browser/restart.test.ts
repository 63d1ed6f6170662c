import { writeFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { tokenLine, tokenOf, writeCallers, type CallerPaths } from '../support/callers.ts'
import { startRelay, type Relay } from '../support/relay.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

describe.skipIf(!needsBrowser())('a page whose service starts anew', () => {
  const held = new AsyncDisposableStack()
  let paths: CallerPaths
  let service: Service
  let relay: Relay
  let visit: Visit

  beforeAll(async () => {
    paths = await writeCallers(held.use(await temporaryFolder()).path)
    service = held.use(await startService({ SLIPWAY_TOKENS_FILE: paths.tokens }))
    await service.rest.as(tokenOf('editor')).create('waiting', { type: 'Upload' })
    relay = held.use(await startRelay(() => service.base))
    visit = held.use(await openBrowser())
    // The relay has nobody behind it for a while.
    visit.expects(
      /^Failed to load resource: (?:net::ERR_|the server responded with a status of 401 )/,
    )
  })
  afterAll(() => held.disposeAsync())

  async function signedIn(): Promise<Page> {
    const page = await visit.page(relay.base)
    await page.getByLabel('Token', { exact: true }).fill(tokenOf('editor'))
    await page.keyboard.press('Enter')
    await page.getByText('1 image', { exact: true }).waitFor()
    return page
  }

  async function restart(): Promise<void> {
    await service.stop()
    relay.cut()
    await service.start()
  }

  const silent = (page: Page) => page.getByRole('alert').getByText(/does not answer|has ended/)

  test('says that it hears nothing, and goes on when it hears again', async () => {
    const page = await signedIn()
    await service.stop()
    relay.cut()
    await silent(page).waitFor()
    await picture(page, 'restart-01-silent')
    await service.start()
    await silent(page).waitFor({ state: 'detached' })
    expect(await page.getByRole('button', { name: 'Load the page anew' }).count()).toBe(0)
    await service.rest.as(tokenOf('editor')).create('later', { type: 'Upload' })
    await page.getByText('2 images').waitFor()
    await service.rest.as(tokenOf('editor')).delete('later')
  })

  test('is to be loaded anew when the service has another one', async () => {
    const page = await signedIn()
    // As if a newer version had come: its shell names other assets.
    await page.route(`${relay.base}/`, async (route) => {
      const answer = await route.fetch()
      const body = (await answer.text()).replaceAll(/assets\/[0-9a-f]{16}/g, 'assets/newer')
      await route.fulfill({ response: answer, body })
    })
    await restart()
    await page.getByText('The service has a newer page').waitFor()
    await picture(page, 'restart-02-newer')
    await page.unroute(`${relay.base}/`)
    await page.getByRole('button', { name: 'Load the page anew' }).click()
    await page.getByText('1 image', { exact: true }).waitFor()
    expect(await page.getByText('The service has a newer page').count()).toBe(0)
  })

  test('offers no more than the role has by then', async () => {
    const page = await signedIn()
    await page.getByRole('button', { name: 'Add an image' }).waitFor()
    await writeFile(paths.tokens, tokenLine('editor', 'viewer'))
    await restart()
    await page.getByRole('banner').getByText('may look').waitFor()
    expect(await page.getByRole('button', { name: 'Add an image' }).count()).toBe(0)
  })

  test('is told why one who may not read any more is not let in', async () => {
    const page = await signedIn()
    visit.expects(/ status of 403 /)
    await writeFile(paths.tokens, tokenLine('editor', 'puller'))
    await restart()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    await page.getByRole('alert').getByText('"editor" may not read here').waitFor()
    await expect.poll(() => page.getByRole('banner').getByText('may look').count()).toBe(0)
    await picture(page, 'restart-03-puller')
  })
})
