import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium as launcher, type Browser, type Page } from 'playwright-core'
import type { Bench } from '../bench.ts'
import { startSlipway } from '../peers/slipway.ts'
import { chromium } from '../programs.ts'
import { seedImages } from '../seed.ts'
import { median, percentile } from '../statistics.ts'
import type { Study } from '../study.ts'

type Ground = Omit<Bench, 'file'>

const count = 5000
const screens = 100
/** What is typed, a key at a time. */
const typed = '4321'
/** What is waited for in a page, in milliseconds. */
const within = 60_000
const view = { width: 1280, height: 720 }

/** A page that is measured; `selectors` is null where there is no list. */
type Way = {
  readonly name: string
  readonly path: string
  readonly list: { readonly row: string; readonly scroller: string; readonly told: string } | null
}

const ways: readonly Way[] = [
  { name: 'the page', path: '/', list: { row: '.window .row', scroller: '.rows', told: '.count' } },
  {
    name: `all ${count} rows drawn at once`,
    path: '/plain',
    list: { row: 'li', scroller: 'ul', told: 'p' },
  },
  { name: 'an empty page', path: '/empty', list: null },
]

/** Milliseconds. */
type Visited = {
  readonly firstRow: number | null
  readonly keys: readonly number[]
  readonly frames: readonly number[]
  readonly longest: number
}

/** Whether a list of thousands stutters: the real page beside one that draws all rows, and beside what the browser can do. */
export const webList: Study = {
  name: 'web-list',
  title: `the page with ${count} images in Chromium: medians of the rounds, in milliseconds`,
  needs: [chromium],
  async run(bench) {
    const folder = join(bench.folder, 'web-list')
    await mkdir(folder, { recursive: true })
    {
      await using resources = new AsyncDisposableStack()
      await startSlipway(folder, bench, resources)
    }
    await seedImages(folder, count)
    const visits = await visitAll(folder, bench)
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    return {
      headings: [
        '',
        'first row',
        'a key',
        'frame p50',
        'frame p99',
        'longest frame',
        'longest task',
      ],
      rows: ways.map(({ name }) => [name, ...cells(visits.get(name) ?? [])]),
      notes: [
        'first row: from the navigation to the frame that has it; a key: from the event to the frame that has its result',
        `frames: while ${screens} screens are scrolled through, one with each frame; tasks below 50 are not told`,
      ],
    }
  },
}

/** In turn, so that what the machine does meanwhile is everybody's. */
async function visitAll(folder: string, bench: Ground) {
  await using resources = new AsyncDisposableStack()
  const { base } = await startSlipway(folder, bench, resources)
  const browser = await launcher.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  })
  resources.defer(() => browser.close())
  const visits = new Map<string, Visited[]>(ways.map(({ name }) => [name, []]))
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const way of ways) {
      bench.signal.throwIfAborted()
      const visited = await visit(browser, base, way)
      visits.get(way.name)?.push(visited)
      bench.say(`round ${round + 1}: ${way.name}: ${cells([visited]).join(', ')}`)
    }
  }
  return visits
}

async function visit(browser: Browser, base: string, { path, list }: Way): Promise<Visited> {
  const context = await browser.newContext({ viewport: view })
  try {
    const page = await context.newPage()
    const body = (text: string) => ({ contentType: 'text/html', body: text })
    await page.route(`${base}/plain`, (route) => route.fulfill(body(plain)))
    await page.route(`${base}/empty`, (route) => route.fulfill(body('<p>nothing</p>')))
    if (list) await page.addInitScript(watching(list.row))
    await page.goto(base + path)
    const firstRow = list ? await page.evaluate<number>('firstRow') : null
    if (list) await page.locator(list.told, { hasText: `${count} images` }).waitFor()
    const scrolled = await page.evaluate<Pick<Visited, 'frames' | 'longest'>>(
      scrolling(list?.scroller ?? null),
    )
    return { firstRow, keys: list ? await type(page, list.told) : [], ...scrolled }
  } finally {
    await context.close()
  }
}

/** Milliseconds of each key. */
async function type(page: Page, told: string): Promise<readonly number[]> {
  const keys: number[] = []
  await page.getByRole('searchbox').focus()
  for (const key of typed) {
    const measured = await page.evaluateHandle<{ readonly done: Promise<number> }>(typing(told))
    await page.keyboard.press(key)
    keys.push(await measured.evaluate(({ done }) => done))
  }
  return keys
}

/** Scripts that run in a page are text. */
const watching = (row: string) => `globalThis.firstRow = new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error('there is no row')), ${within})
  const look = () => document.querySelector(${JSON.stringify(row)}) ? resolve(performance.now()) : requestAnimationFrame(look)
  requestAnimationFrame(look)
})`

const scrolling = (scroller: string | null) => `new Promise((resolve) => {
  const at = ${JSON.stringify(scroller)}
  const element = at === null ? document.scrollingElement : document.querySelector(at)
  let longest = 0
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
  }).observe({ type: 'longtask' })
  const frames = []
  let before = null
  const step = (now) => {
    if (before !== null) frames.push(now - before)
    before = now
    if (frames.length === ${screens}) return setTimeout(() => resolve({ frames, longest }))
    element.scrollTop += element.clientHeight
    requestAnimationFrame(step)
  }
  requestAnimationFrame(step)
})`

/** Begins before the key is pressed; `done` settles after the frame in which what is told has changed. */
const typing = (told: string) => `({ done: new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error('nothing has changed')), ${within})
  const element = document.querySelector(${JSON.stringify(told)})
  const before = element.textContent
  addEventListener('input', ({ timeStamp }) => {
    const look = () => {
      if (element.textContent === before) return requestAnimationFrame(look)
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => resolve(performance.now() - timeStamp)
      port2.postMessage(null)
    }
    requestAnimationFrame(look)
  }, { once: true, capture: true })
}) })`

/** The same images, as simple as can be: all of them in the page, hidden where they are not looked for. */
const plain = `<!doctype html><style>ul { height: 500px; overflow: auto } li { height: 52px; display: grid;
grid-template-columns: repeat(6, 1fr) } li[hidden] { display: none }</style>
<input type="search"><p></p><ul></ul><script type="module">
const told = document.querySelector('p')
const list = document.querySelector('ul')
for (let query = '?limit=1000'; query !== '';) {
  const { items, continue: next } = await (await fetch('/api/v1/images' + query)).json()
  for (const { name, status, createdAt } of items) {
    const row = document.createElement('li')
    const link = document.createElement('a')
    link.href = '#/images/' + name
    link.textContent = name
    row.append(link)
    for (const text of [status.phase, status.format, status.size?.unpacked, status.size?.stored, createdAt]) {
      row.append(Object.assign(document.createElement('span'), { textContent: text }))
    }
    list.append(row)
  }
  query = next ? '?limit=1000&continue=' + encodeURIComponent(next) : ''
}
told.textContent = list.childElementCount + ' images'
document.querySelector('input').addEventListener('input', ({ target }) => {
  let shown = 0
  for (const row of list.children) {
    row.hidden = !row.textContent.includes(target.value)
    if (!row.hidden) shown += 1
  }
  told.textContent = shown + ' of ' + list.childElementCount + ' images'
})
</script>`

function cells(visits: readonly Visited[]): readonly string[] {
  const of = (measure: (visited: Visited) => number | null) =>
    spread(visits.flatMap((visited) => measure(visited) ?? []))
  return [
    of(({ firstRow }) => firstRow),
    of(({ keys }) => (keys.length === 0 ? null : median(keys))),
    of(({ frames }) => percentile(frames, 50)),
    of(({ frames }) => percentile(frames, 99)),
    of(({ frames }) => Math.max(...frames)),
    of(({ longest }) => (longest === 0 ? null : longest)),
  ]
}

function spread(values: readonly number[]): string {
  if (values.length === 0) return '-'
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const middle = median(values).toFixed(1)
  return values.length === 1 ? middle : `${middle} (${low.toFixed(1)} to ${high.toFixed(1)})`
}
