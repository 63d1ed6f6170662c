import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { expect } from 'vitest'
import { needs } from './programs.ts'

/** Use as `describe.skipIf(!needsBrowser())`. */
export const needsBrowser = () => needs('chromium', 'apt-get install chromium')

/** Where pictures of each step lie for people to look at; git does not see it. */
const pictures = fileURLToPath(new URL('../../.screenshots', import.meta.url))

/** Root in a container has no other way; pages are this project's own. */
const args = ['--no-sandbox', '--disable-dev-shm-usage']

/** What is waited for on a page, in milliseconds. */
const patience = 15_000

/** @param more arguments of the browser */
export async function openBrowser(more: readonly string[] = []): Promise<Visit> {
  const launched = { executablePath: '/usr/bin/chromium', args: [...args, ...more] }
  return new Visit(await chromium.launch(launched))
}

type Look = Parameters<Browser['newContext']>[0]

/** A browser, the pages that a test has opened in it, and what went wrong on them. */
export class Visit implements AsyncDisposable {
  readonly #browser: Browser
  /** Of consoles and pages: a test that ends with any of them has failed. */
  readonly complaints: string[] = []
  /** Complaints that a test brings about on purpose. */
  readonly #expected: RegExp[] = []
  readonly #hosts = new Set<string>()

  constructor(browser: Browser) {
    this.#browser = browser
  }

  /** A test makes pages complain so on purpose. */
  expects(...complaints: readonly RegExp[]): void {
    this.#expected.push(...complaints)
  }

  /** A page of its own, with nothing of others' storage. */
  async page(base: string, look: Look = {}): Promise<Page> {
    const page = await (await this.context(look)).newPage()
    await page.goto(base)
    return page
  }

  async context(look: Look = {}): Promise<BrowserContext> {
    const context = await this.#browser.newContext(look)
    context.setDefaultTimeout(patience)
    context.on('page', (page) => this.#follow(page))
    return context
  }

  /** Closes all pages, so that they ask for nothing while others are looked at. */
  async leave(): Promise<void> {
    await Promise.all(this.#browser.contexts().map((context) => context.close()))
  }

  /** Of all requests so far. */
  get hosts(): readonly string[] {
    return [...this.#hosts].sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close()
    const strange = this.complaints.filter((text) => !this.#expected.some((it) => it.test(text)))
    expect(strange, 'complaints of pages').toEqual([])
  }

  #follow(page: Page): void {
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text())
    })
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    page.on('request', (request) => this.#hosts.add(new URL(request.url()).host))
  }
}

/** Keeps what a page looks like now. @param name such as `create-01-verdict` */
export async function picture(page: Page, name: string): Promise<void> {
  await mkdir(pictures, { recursive: true })
  // A page of many screens takes longer to be drawn at once than anybody waits.
  const height = await page.evaluate('document.documentElement.scrollHeight')
  await page.screenshot({
    path: join(pictures, `${name}.png`),
    fullPage: Number(height) < 10_000,
    animations: 'disabled',
  })
}
