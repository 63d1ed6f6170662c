import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { run } from '../command.ts'
import { startSlipway } from '../peers/slipway.ts'
import { startZot, zot } from '../peers/zot.ts'
import type { Round } from '../rounds.ts'
import { columnsOf, median, type Spread } from '../statistics.ts'
import type { Findings, Study } from '../study.ts'
import { runZb, zb as zbProgram, type Counted } from '../zb.ts'

type Ground = Omit<Bench, 'file'>

type Registry = {
  readonly name: string
  readonly start: (
    folder: string,
    bench: Ground,
    resources: AsyncDisposableStack,
  ) => Promise<{ readonly base: string }>
}

const slipway: Registry = { name: 'slipway', start: startSlipway }
const synced: Registry = {
  name: zot.name,
  start: (folder, bench, resources) =>
    startZot(folder, bench, resources, { synced: true, core: null }),
}

/** What the program that zot measures itself with counts, of Slipway and of zot. */
export const zb: Study = {
  name: 'zb',
  title:
    "zot's benchmark program, 2 clients, 20 requests a test: requests/s, medians of the rounds",
  needs: [zbProgram],
  async run(bench) {
    const beside = await bench.unlessMissing([zot], async () => synced)
    const registries = beside ? [slipway, beside] : [slipway]
    const ran: Ran[] = []
    for (let round = 0; round < bench.rounds; round += 1) {
      const turn = round % registries.length
      for (const registry of [...registries.slice(turn), ...registries.slice(0, turn)]) {
        ran.push(await runOnce(registry, round + 1, bench))
      }
    }
    return findings(registries, ran)
  },
}

/** All tests with one registry, one after the other. */
type Ran = {
  readonly round: number
  readonly contender: string
  readonly seconds: number
  readonly tests: readonly Counted[]
}

/** With a registry that is empty. */
async function runOnce({ name, start }: Registry, round: number, bench: Ground): Promise<Ran> {
  const folder = join(bench.folder, `zb-${name}-${round}`)
  await using resources = new AsyncDisposableStack()
  resources.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  await mkdir(folder)
  const { base } = await start(join(folder, 'data'), bench, resources)
  // Nobody pays for what somebody else has written.
  await run('sync', ['--file-system', bench.folder], bench.within, bench.signal)
  const tests = await runZb(base, join(folder, 'blobs'), bench)
  const seconds = tests.reduce((sum, test) => sum + test.seconds, 0)
  bench.say(`round ${round}, ${name}: ${seconds.toFixed(2)} s`)
  return { round, contender: name, seconds, tests }
}

function findings(registries: readonly Registry[], ran: readonly Ran[]): Findings {
  const compared = registries.length > 1 ? ['slipway is', 'min to max'] : []
  const names = (ran[0]?.tests ?? []).map(({ name }) => name)
  const totals = registries.map(({ name }) =>
    median(ran.flatMap(({ contender, seconds }) => (contender === name ? seconds : []))),
  )
  return {
    headings: ['', ...registries.map(({ name }) => name), ...compared],
    rows: [
      ...names.map((name) => cells(name, roundsOf(name, ran))),
      ['all, seconds', ...totals.map((total) => total.toFixed(2)), ...compared.map(() => '')],
    ],
    notes: [
      'failed requests: none',
      'what is mixed is drawn by lot: not the same for both, and another one each time',
    ],
  }
}

function roundsOf(name: string, ran: readonly Ran[]): readonly Round[] {
  const rest = { latency: null, cpu: null, peakMemory: null }
  return ran.flatMap(({ round, contender, tests }) => {
    const test = tests.find((one) => one.name === name)
    if (!test) throw new Error(`zb did not run "${name}" with ${contender}`)
    return { round, contender, seconds: test.seconds, amount: test.requests, ...rest }
  })
}

function cells(name: string, rounds: readonly Round[]): readonly string[] {
  const columns = columnsOf(rounds)
  const ratios = columns.flatMap(({ ratio }) => ratio ?? [])
  return [name, ...columns.map(({ speed }) => speed.median.toFixed(1)), ...ratios.flatMap(times)]
}

function times({ median, min, max }: Spread): readonly string[] {
  return [`${median.toFixed(2)}x`, `${min.toFixed(2)}x to ${max.toFixed(2)}x`]
}
