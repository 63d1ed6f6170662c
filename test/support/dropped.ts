import type { JSHandle, Page } from 'playwright-core'

export type DroppedFile = {
  /** On this machine. */
  readonly path: string
  /** As the page sees it. */
  readonly name: string
  /** Milliseconds since 1970. */
  readonly modified?: number
}

/** Drops files on a page as a mouse does; the browser's own file dialog cannot be dragged from. */
export async function drop(page: Page, ...files: readonly DroppedFile[]): Promise<void> {
  const held = await hold(page, ...files)
  for (const type of ['dragenter', 'dragover', 'drop']) {
    await page.dispatchEvent('body', type, { dataTransfer: held })
  }
}

/** What a mouse has taken, and has not dropped yet. */
export async function hold(page: Page, ...files: readonly DroppedFile[]): Promise<JSHandle> {
  const held: JSHandle = await page.evaluateHandle('new DataTransfer()')
  for (const file of files) await add(page, held, file)
  return held
}

// Text, as it runs in the page and not here.
const makeInput = `Object.assign(document.createElement('input'), { type: 'file' })`

async function add(page: Page, held: JSHandle, file: DroppedFile): Promise<void> {
  const { path, name, modified = 1_700_000_000_000 } = file
  const input: JSHandle = await page.evaluateHandle(makeInput)
  // The browser reads it from the disk, as it does with people's files.
  await input.asElement()?.setInputFiles(path)
  await page.evaluate(
    ({ held, input, name, modified }) =>
      held.items.add(new File([input.files[0]], name, { lastModified: modified })),
    { held, input, name, modified },
  )
}
