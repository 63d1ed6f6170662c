import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'

/** More than any view has places for the focus. */
const most = 120

/**
 * Presses Tab until the focus is there, as somebody without a mouse does.
 * @throws Error when Tab does not lead there, or the focus cannot be seen there
 */
export async function reach(target: Locator): Promise<void> {
  await target.waitFor()
  for (let steps = 0; steps < most; steps += 1) {
    const has = await target.evaluate((element) => element.matches(':focus'))
    if (has) return await assertSeen(target)
    await target.page().keyboard.press('Tab')
  }
  throw new Error(`Tab does not lead to ${target.toString()}`)
}

/** Resolves when the page has put the focus there. */
export async function focused(target: Locator): Promise<void> {
  const has = async () => await target.evaluate((element) => element.matches(':focus'))
  await expect.poll(has, { timeout: 5000 }).toBe(true)
}

/** Goes there, and presses a key. */
export async function press(target: Locator, key = 'Enter'): Promise<void> {
  await reach(target)
  await target.page().keyboard.press(key)
}

/** Goes there, and types in place of what was there. */
export async function write(target: Locator, text: string): Promise<void> {
  await press(target, 'Control+A')
  await target.page().keyboard.type(text)
}

/** What Tab leads to from the start of the page to its end, as roles' elements and texts. */
export async function stops(page: Page): Promise<readonly string[]> {
  const found: string[] = []
  for (let steps = 0; steps < most; steps += 1) {
    await page.keyboard.press('Tab')
    const stop: string = await page.evaluate(`(() => {
      const { ariaLabel, labels, textContent, localName } = document.activeElement
      return localName + ' ' + (ariaLabel ?? labels?.[0]?.textContent ?? textContent).trim().split(/\\s{2,}|\\n/)[0]
    })()`)
    if (stop.startsWith('body') || found[0] === stop) return found
    found.push(stop)
  }
  throw new Error(`the focus does not come round: ${found.join(', ')}`)
}

async function assertSeen(target: Locator): Promise<void> {
  const { outlineStyle, outlineWidth }: Record<string, string> = await target.evaluate(
    (element) => {
      const { outlineStyle, outlineWidth } =
        element.ownerDocument.defaultView.getComputedStyle(element)
      return { outlineStyle, outlineWidth }
    },
  )
  if (outlineStyle === 'none' || outlineWidth === '0px')
    throw new Error(`no focus is seen on ${target.toString()}`)
}
