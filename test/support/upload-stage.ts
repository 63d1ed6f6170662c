import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { openBrowser, type Visit } from './browser.ts'
import { disk } from './disks.ts'
import { drop } from './dropped.ts'
import { startRelay, type Relay } from './relay.ts'
import { startService, type Service } from './service.ts'
import { temporaryFolder } from './temporary.ts'

/** What Chromium's console says when a cable is pulled out, and when it has sent a request anew by itself. */
export const cable = [
  /^Failed to load resource: net::ERR_(?:CONNECTION_RESET|CONNECTION_REFUSED|EMPTY_RESPONSE|INTERNET_DISCONNECTED|NETWORK_CHANGED)$/,
  /^Failed to load resource: the server responded with a status of (?:409 \(Conflict\)|423 \(Locked\))$/,
]

/** A service behind a cable, a browser before it, and a file to send. */
export async function setUploadStage(size: number): Promise<UploadStage> {
  await using held = new AsyncDisposableStack()
  const folder = held.use(await temporaryFolder())
  const file = join(folder.path, 'example.iso')
  await writeFile(file, disk(size))
  const service = held.use(await startService())
  const relay = held.use(await startRelay(() => service.base))
  const visit = held.use(await openBrowser())
  visit.expects(...cable)
  return new UploadStage({ held: held.move(), service, relay, visit, file, folder: folder.path })
}

type Parts = Pick<UploadStage, 'service' | 'relay' | 'visit' | 'file' | 'folder'>

export class UploadStage implements AsyncDisposable {
  readonly service: Service
  readonly relay: Relay
  readonly visit: Visit
  readonly file: string
  readonly folder: string
  readonly #held: AsyncDisposableStack

  constructor({
    held,
    service,
    relay,
    visit,
    file,
    folder,
  }: Parts & { held: AsyncDisposableStack }) {
    this.#held = held
    this.service = service
    this.relay = relay
    this.visit = visit
    this.file = file
    this.folder = folder
  }

  async page(): Promise<Page> {
    const page = await this.visit.page(this.relay.base)
    await page.getByText(/\d images?/).waitFor()
    return page
  }

  async drop(page: Page, name: string, modified?: number): Promise<void> {
    const path = this.file
    await drop(page, modified === undefined ? { path, name } : { path, name, modified })
  }

  /** What the page says of one upload. */
  row(page: Page, name: string): Locator {
    return page.locator('.sending', { has: page.getByRole('link', { name, exact: true }) })
  }

  /** Resolves when the page has compared it. */
  async compared(page: Page, name: string): Promise<void> {
    await this.row(page, name).getByText('byte for byte your file').waitFor({ timeout: 60_000 })
    await this.service.rest.reaches(name, 'Ready')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }
}
