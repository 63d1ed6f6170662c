import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { picture } from './browser.ts'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Everything that WCAG 2.2 asks for at AA and a program can see, and what is good beside. */
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** What axe finds, and where. */
async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe)
  const found: AxeResults = await page.evaluate(
    `axe.run({ runOnly: ${JSON.stringify(rules)}, resultTypes: ['violations'] })`,
  )
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  )
}

/** What is wider than its place, beside lines of code, which scroll by themselves. */
async function wide(page: Page): Promise<readonly string[]> {
  return await page.evaluate(`[...document.querySelectorAll('html, main, dialog[open], .rows, header')]
    .filter((element) => element.scrollWidth > element.clientWidth)
    .map((element) => element.tagName + '.' + element.className + ' ' + element.scrollWidth)`)
}

/** Words that are broken within, and names of which nothing is left. */
async function squeezed(page: Page): Promise<readonly string[]> {
  return await page.evaluate(`(() => {
    const isBroken = (node, { index, 0: word }) => {
      const range = document.createRange()
      range.setStart(node, index)
      range.setEnd(node, index + word.length)
      return new Set([...range.getClientRects()].map(({ top }) => top)).size > 1
    }
    const broken = (element) => [...element.childNodes]
      .filter((node) => node.nodeType === Node.TEXT_NODE)
      .flatMap((node) => [...node.data.matchAll(/[A-Za-z]{2,}/g)]
        .filter((found) => isBroken(node, found)).map(([word]) => word))
    const small = [...document.querySelectorAll('.row .name')]
      .filter((name) => name.getClientRects().length > 0 && name.clientWidth < 40)
      .map((name) => name.textContent)
    return [...document.querySelectorAll('thead th, tbody td, tbody td *, dt, button')].flatMap(broken).concat(small)
  })()`)
}

/** Keeps a picture of a page, in which axe must find nothing, and nothing is too wide or too narrow. */
export async function examined(page: Page, name: string): Promise<void> {
  await picture(page, name)
  expect.soft(await wide(page), `wider than ${name}`).toEqual([])
  expect.soft(await squeezed(page), `squeezed in ${name}`).toEqual([])
  expect.soft(await violations(page), `violations in ${name}`).toEqual([])
}
