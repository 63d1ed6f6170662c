import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench, Paced } from '../bench.ts'
import { load } from '../load.ts'
import { twoCores } from '../machine.ts'
import { startBareServer } from '../peers/bare-http.ts'
import { startSlipway } from '../peers/slipway.ts'
import { taskset, wrk } from '../programs.ts'
import { seedImages } from '../seed.ts'
import { median } from '../statistics.ts'
import type { Study } from '../study.ts'

type Ground = Omit<Bench, 'file'>

const target = 10_000
const connections = 32
/** Of one step, and of what is asked before so that nobody begins cold. */
const seconds = 5
const warmUp = 2

type Way = { readonly name: string; readonly ask: (seconds: number) => Promise<Paced> }

/** What pages and scripts do that know no event stream: they ask for one image again and again. */
export const statusPolls: Study = {
  name: 'status-polls',
  title: `status of one image over REST, ${connections} connections, the server on one core: a target of ${target} polls a second`,
  needs: [wrk, taskset],
  async run(bench) {
    await using resources = new AsyncDisposableStack()
    const ways = await open(bench, resources)
    const found = new Map<string, Paced[]>(ways.map(({ name }) => [name, []]))
    for (let round = 0; round < bench.rounds; round += 1) {
      for (const { name, ask } of ways) {
        await ask(warmUp)
        found.get(name)?.push(await ask(seconds))
      }
      bench.say(`round ${round + 1}`)
    }
    return {
      headings: ['', 'requests a second', 'min to max', 'p50, ms', 'p99, ms'],
      rows: [...found].map(([name, rounds]) => row(name, rounds)),
      notes: [`Medians of ${bench.rounds} round(s); wrk has the other core.`],
    }
  },
}

async function open(bench: Ground, resources: AsyncDisposableStack): Promise<readonly Way[]> {
  const core = twoCores()
  const url = await serveImage(core.server, bench, resources)
  const etag = await etagOf(url, bench.signal)
  const bare = await startBareServer(core.server, bench.signal, resources)
  const asking = (name: string, at: string, headers: readonly string[]): Way => ({
    name,
    ask: (time) => load(at, { connections, seconds: time, core: core.clients, headers }, bench),
  })
  return [
    asking('with If-None-Match, all answered 304', url, [`If-None-Match: ${etag}`]),
    asking('a plain GET', url, []),
    asking('what Node answers with 304 without looking', bare, [`If-None-Match: ${etag}`]),
  ]
}

/** @returns where the status of one image out of a few is */
async function serveImage(core: number, bench: Ground, resources: AsyncDisposableStack) {
  const folder = join(bench.folder, 'status-polls')
  resources.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  await mkdir(folder)
  {
    await using once = new AsyncDisposableStack()
    await startSlipway(folder, bench, once)
  }
  const [name = ''] = await seedImages(folder, 100)
  const { base } = await startSlipway(folder, bench, resources, core)
  return `${base}/api/v1/images/${name}`
}

/** @throws Error unless a poll with it is answered that nothing is new */
async function etagOf(url: string, signal: AbortSignal): Promise<string> {
  const first = await fetch(url, { signal })
  await first.arrayBuffer()
  const etag = first.headers.get('etag') ?? ''
  const { status } = await fetch(url, { headers: { 'if-none-match': etag }, signal })
  if (status === 304) return etag
  throw new Error(`${url} answered ${status} to its own ETag ${etag}`)
}

function row(name: string, rounds: readonly Paced[]) {
  const rates = rounds.map(({ amount, seconds: time }) => Math.round(amount / time))
  const milliseconds = (of: (round: Paced) => number) => (median(rounds.map(of)) * 1000).toFixed(2)
  return [
    name,
    Math.round(median(rates)),
    `${Math.min(...rates)} to ${Math.max(...rates)}`,
    milliseconds(({ latency }) => latency.p50),
    milliseconds(({ latency }) => latency.p99),
  ]
}
