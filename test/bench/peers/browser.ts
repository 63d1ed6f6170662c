import { chromium, type Page } from 'playwright-core'
import type { Bench } from '../bench.ts'

const launched = {
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage'],
}

/** A browser that shows the page of a service. */
export async function openPage(
  base: string,
  { within }: Pick<Bench, 'within'>,
  resources: AsyncDisposableStack,
): Promise<Page> {
  const browser = resources.adopt(await chromium.launch(launched), (it) => it.close())
  const page = await browser.newPage()
  page.setDefaultTimeout(within)
  await page.goto(base)
  await page.getByRole('button', { name: 'Add an image' }).waitFor()
  return page
}

/** Chooses the file that an image waits for, as people do; resolves when the page says that all of it is there. */
export async function sendByPage(page: Page, path: string): Promise<void> {
  await page.getByLabel('Choose the file').setInputFiles(path)
  await page.getByText(/^(?:Is there|Is Ready)/).waitFor()
}
