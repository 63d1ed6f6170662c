import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'

/** Drops a file on a page as a mouse does; the browser's own file dialog cannot be dragged from. */
export async function drop(page: Page, path: string, name: string): Promise<void> {
  const base64 = (await readFile(path)).toString('base64')
  // Text, as it runs in the page and not here.
  const held = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer()
    transfer.items.add(new File([Uint8Array.fromBase64('${base64}')], ${JSON.stringify(name)}))
    return transfer
  })()`)
  for (const type of ['dragenter', 'dragover', 'drop']) {
    await page.dispatchEvent('body', type, { dataTransfer: held })
  }
}
