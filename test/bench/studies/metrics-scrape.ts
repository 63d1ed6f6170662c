import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { startSlipway } from '../peers/slipway.ts'
import { seedRows } from '../seed.ts'
import { median, percentile } from '../statistics.ts'
import type { Study } from '../study.ts'

const count = 100_000
const scrapes = 200
/** Of `/healthz`, while scrapes go on: what they cost whoever asks for something else. */
const between = 20
const within = 30_000

type Times = { readonly scrapes: number[]; readonly health: number[] }

/** A scrape of the metrics with many images: what it takes, and what it costs others. Beside `/healthz`, asked in turn. */
export const metricsScrape: Study = {
  name: 'metrics-scrape',
  title: `metrics of a service with ${count} images: milliseconds, of ${scrapes} scrapes in a round`,
  needs: [],
  async run(bench) {
    const folder = join(bench.folder, 'metrics-scrape')
    await mkdir(folder, { recursive: true })
    {
      await using resources = new AsyncDisposableStack()
      await startSlipway(folder, bench, resources)
    }
    seedRows(folder, count)
    const times: Times = { scrapes: [], health: [] }
    for (let round = 0; round < bench.rounds; round += 1) {
      await using resources = new AsyncDisposableStack()
      const { base } = await startSlipway(folder, bench, resources)
      await scrapeAll(base, times, bench)
      bench.say(`round ${round + 1}: ${cells(times.scrapes).join(', ')}`)
    }
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    return {
      headings: ['', 'median', 'p99', 'slowest'],
      rows: [
        ['/metrics', ...cells(times.scrapes)],
        ['/healthz', ...cells(times.health)],
      ],
      notes: ['each round begins with a service that has just started and summed up nothing yet'],
    }
  },
}

async function scrapeAll(base: string, times: Times, bench: Pick<Bench, 'signal'>) {
  for (let at = 0; at < scrapes; at += 1) {
    times.scrapes.push(await timeOf(`${base}/metrics`, bench))
    if (at % (scrapes / between) !== 0) continue
    const [health] = await Promise.all([
      timeOf(`${base}/healthz`, bench),
      timeOf(`${base}/metrics`, bench),
    ])
    times.health.push(health)
  }
}

/** Milliseconds to the last byte. */
async function timeOf(url: string, { signal }: Pick<Bench, 'signal'>): Promise<number> {
  const begun = performance.now()
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(within)])
  const answer = await fetch(url, { signal: bounded })
  await answer.arrayBuffer()
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
  return performance.now() - begun
}

function cells(values: readonly number[]): readonly string[] {
  return [median(values), percentile(values, 99), Math.max(...values)].map((value) =>
    value.toFixed(1),
  )
}
