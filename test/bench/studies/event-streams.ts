import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { Audience } from '../peers/audience.ts'
import { startSlipway, type Slipway } from '../peers/slipway.ts'
import { median, percentile } from '../statistics.ts'
import type { Study } from '../study.ts'
import { forgetPeak, usageOf } from '../usage.ts'

type Ground = Omit<Bench, 'file'>

const listeners = 1000
const changes = 100
const target = 100

type Round = {
  /** MiB: before anybody listened, and the most while all did and images changed. */
  readonly idle: number
  readonly most: number
  /** Milliseconds from a request that changes something until the last one has been told of it. */
  readonly alone: readonly number[]
  /** The same for all changes at once. */
  readonly burst: number
  /** Seconds of computing for all that. */
  readonly computed: number
}

/** What those who listen cost: many open streams while images change, one after the other and all at once. */
export const eventStreams: Study = {
  name: 'event-streams',
  title: `${listeners} open streams of events, ${changes} images made one after the other, and ${changes} at once: a target of ${target} MiB above an idle service`,
  needs: [],
  async run(bench) {
    const found: Round[] = []
    for (let at = 0; at < bench.rounds; at += 1) {
      bench.signal.throwIfAborted()
      found.push(await round(join(bench.folder, `event-streams-${at}`), bench))
      bench.say(`round ${at + 1}`)
    }
    return findings(found)
  },
}

async function round(folder: string, bench: Ground): Promise<Round> {
  await using resources = new AsyncDisposableStack()
  resources.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  const slipway = await startSlipway(folder, bench, resources)
  await forgetPeak(slipway.pid)
  const before = await usage(slipway)
  const audience = resources.use(await Audience.open(slipway.base, listeners, bench.signal))
  const alone: number[] = []
  for (let at = 0; at < changes; at += 1)
    alone.push(await change([`alone-${at}`], slipway, audience))
  const names = Array.from({ length: changes }, (_, at) => `burst-${at}`)
  const burst = await change(names, slipway, audience)
  const after = await usage(slipway)
  return {
    idle: before.memory,
    most: after.memory,
    alone,
    burst,
    computed: after.computed - before.computed,
  }
}

/** @returns milliseconds until everybody has been told of all of them */
async function change(names: readonly string[], slipway: Slipway, audience: Audience) {
  const begun = performance.now()
  const told = Promise.all(names.map((name) => audience.told(name)))
  await Promise.all([...names.map((name) => slipway.create(name)), told])
  return performance.now() - begun
}

async function usage({ pid }: Slipway) {
  const told = await usageOf(pid)
  if (!told) throw new Error('this system does not tell what a process costs')
  return { computed: told.cpu, memory: told.peakMemory / 1024 ** 2 }
}

function findings(found: readonly Round[]) {
  const of = (measure: (round: Round) => number) => spread(found.map(measure))
  return {
    headings: ['', 'median', 'min to max'],
    rows: [
      ['memory of the idle service, MiB', ...of(({ idle }) => idle)],
      ['the most above it, MiB', ...of(({ idle, most }) => most - idle)],
      ['a change until the last one is told, ms', ...of(({ alone }) => median(alone))],
      ['the same by p99, ms', ...of(({ alone }) => percentile(alone, 99))],
      [`${changes} changes at once, ms`, ...of(({ burst }) => burst)],
      ['computed for all of it, s', ...of(({ computed }) => computed)],
    ],
    notes: [
      `${found.length} round(s), each with a new service; the program that listens needs the same cores`,
      `each of the ${listeners} was told of each of the ${2 * changes} images`,
    ],
  }
}

function spread(values: readonly number[]) {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return [median(values).toFixed(1), `${low.toFixed(1)} to ${high.toFixed(1)}`]
}
