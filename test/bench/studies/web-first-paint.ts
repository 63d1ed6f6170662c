import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium as launcher, type Browser, type Page } from 'playwright-core'
import type { Bench } from '../bench.ts'
import { startSlipway } from '../peers/slipway.ts'
import { chromium } from '../programs.ts'
import { median } from '../statistics.ts'
import type { Study } from '../study.ts'

/** Milliseconds that the network adds to each request, as from the other side of an ocean. */
const latency = 100

type Visited = { readonly paint: number; readonly bytes: number; readonly requests: number }
type Way = { readonly name: string; readonly change: (text: string) => string }

const ways: readonly Way[] = [
  { name: 'as it is', change: (text) => text },
  {
    name: 'without modulepreload',
    change: (text) => text.replaceAll(/<link rel="modulepreload"[^>]*>/g, ''),
  },
]

/** What a first visitor of the page waits for, beside the same page whose modules are found one behind the other. */
export const webFirstPaint: Study = {
  name: 'web-first-paint',
  title: `the page's first paint with nothing in the cache and ${latency} ms before each answer, medians`,
  needs: [chromium],
  async run(bench) {
    const folder = join(bench.folder, 'web')
    await mkdir(folder, { recursive: true })
    await using resources = new AsyncDisposableStack()
    const { base } = await startSlipway(folder, bench, resources)
    const browser = await launcher.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    })
    resources.defer(() => browser.close())
    const visits = await visitAll(browser, base, bench)
    return {
      headings: ['', 'milliseconds', 'KiB', 'requests'],
      rows: ways.map(({ name }) => [name, ...cells(visits.get(name) ?? [])]),
      notes: ['the page itself is answered by the bench in both, its assets by the service'],
    }
  },
}

/** In turn, so that what the machine does meanwhile is everybody's. The first round warms what the service keeps. */
async function visitAll(browser: Browser, base: string, { rounds }: Omit<Bench, 'file'>) {
  const visits = new Map<string, Visited[]>(ways.map(({ name }) => [name, []]))
  for (let round = -1; round < rounds * 3; round += 1) {
    for (const way of ways) {
      const visited = await visit(browser, base, way)
      if (round >= 0) visits.get(way.name)?.push(visited)
    }
  }
  return visits
}

async function visit(browser: Browser, base: string, { change }: Way): Promise<Visited> {
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    await page.route(`${base}/`, async (route) => {
      const answer = await route.fetch()
      await route.fulfill({ response: answer, body: change(await answer.text()) })
    })
    await slow(page)
    await page.goto(base)
    await page.getByRole('heading', { name: 'Images' }).waitFor()
    return await page.evaluate(measured)
  } finally {
    await context.close()
  }
}

async function slow(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  const rates = { downloadThroughput: -1, uploadThroughput: -1 }
  await session.send('Network.emulateNetworkConditions', { offline: false, latency, ...rates })
}

/** Runs in the page, so it is text. */
const measured = `(async () => {
  const paint = await new Promise((resolve) => new PerformanceObserver((list) => {
    const found = list.getEntriesByName('first-contentful-paint')[0]
    if (found) resolve(found.startTime)
  }).observe({ type: 'paint', buffered: true }))
  const before = performance.getEntriesByType('resource').filter(({ initiatorType }) => initiatorType !== 'fetch')
  const bytes = before.reduce((sum, { transferSize }) => sum + transferSize, 0)
  return { paint, bytes, requests: before.length }
})()`

function cells(visits: readonly Visited[]): readonly number[] {
  const of = (key: keyof Visited) => Math.round(median(visits.map((visited) => visited[key])))
  return [of('paint'), Math.round(of('bytes') / 1024), of('requests')]
}
