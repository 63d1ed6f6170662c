import type { Latency, Target } from './bench.ts'
import type { Round } from './rounds.ts'

/** The median, and how far the rounds lie apart. */
export type Spread = { readonly median: number; readonly min: number; readonly max: number }

export type Column = {
  readonly contender: string
  /** Bytes or requests a second. */
  readonly speed: Spread
  /** How many times as fast Slipway is, round by round; null for Slipway itself. */
  readonly ratio: Spread | null
  /** Seconds of processor time for a byte or a request, the median. */
  readonly cpu: number | null
  /** The medians. */
  readonly latency: Latency | null
  /** Bytes. */
  readonly peakMemory: number | null
}

export type Verdict = Target & {
  /** Beside the best of those that were there; null when there was none. */
  readonly ratio: number | null
  readonly met: boolean | null
}

export function columnsOf(rounds: readonly Round[]): readonly Column[] {
  const names = [...new Set(rounds.map(({ contender }) => contender))]
  const [slipway = ''] = names
  return names.map((contender) => {
    const own = rounds.filter((round) => round.contender === contender)
    const cpu = own.flatMap((round) => (round.cpu === null ? [] : round.cpu / round.amount))
    const memory = own.flatMap(({ peakMemory }) => peakMemory ?? [])
    return {
      contender,
      speed: spread(own.map(speedOf)),
      ratio: contender === slipway ? null : ratioOf(rounds, slipway, contender),
      cpu: cpu.length > 0 ? median(cpu) : null,
      latency: latencyOf(own),
      peakMemory: memory.length > 0 ? Math.max(...memory) : null,
    }
  })
}

export function judge(targets: readonly Target[], columns: readonly Column[]): readonly Verdict[] {
  return targets.map((target) => {
    const beside = columns.filter(({ contender }) => target.beside.includes(contender))
    const ratios = beside.flatMap((column) => column.ratio?.median ?? [])
    const ratio = ratios.length > 0 ? Math.min(...ratios) : null
    return { ...target, ratio, met: ratio === null ? null : ratio >= target.atLeast }
  })
}

function speedOf({ amount, seconds }: Round): number {
  return amount / seconds
}

function latencyOf(rounds: readonly Round[]): Latency | null {
  const told = rounds.flatMap(({ latency }) => latency ?? [])
  if (told.length === 0) return null
  return { p50: median(told.map(({ p50 }) => p50)), p99: median(told.map(({ p99 }) => p99)) }
}

/** Two of the same round ran under the same weather, so they are divided first and ordered afterwards. */
function ratioOf(rounds: readonly Round[], one: string, other: string): Spread {
  const pairs = rounds.filter(({ contender }) => contender === one)
  return spread(
    pairs.flatMap((own) => {
      const beside = rounds.find(
        ({ round, contender }) => round === own.round && contender === other,
      )
      return beside ? [speedOf(own) / speedOf(beside)] : []
    }),
  )
}

function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  const middle = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1)
  return middle.reduce((sum, value) => sum + value, 0) / middle.length
}

/** The smallest value that is not below so many of a hundred. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? NaN
}
