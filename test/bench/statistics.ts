import type { Target } from './bench.ts'
import type { Round } from './rounds.ts'

/** The median, and how far the rounds lie apart. */
export type Spread = { readonly median: number; readonly min: number; readonly max: number }

export type Column = {
  readonly contender: string
  /** Bytes a second. */
  readonly speed: Spread
  /** How many times as fast Slipway is, round by round; null for Slipway itself. */
  readonly ratio: Spread | null
  /** Seconds of processor time per GiB, the median. */
  readonly cpuPerGiB: number | null
  /** Bytes. */
  readonly peakMemory: number | null
}

export type Verdict = Target & {
  /** Null when the other one was not there. */
  readonly ratio: number | null
  readonly met: boolean | null
}

const gibibyte = 1024 ** 3

/** @param bytes that each round moved */
export function columnsOf(rounds: readonly Round[], bytes: number): readonly Column[] {
  const names = [...new Set(rounds.map(({ contender }) => contender))]
  const [slipway = ''] = names
  return names.map((contender) => {
    const own = rounds.filter((round) => round.contender === contender)
    const cpu = own.flatMap((round) => round.cpu ?? [])
    const memory = own.flatMap(({ peakMemory }) => peakMemory ?? [])
    return {
      contender,
      speed: spread(own.map(({ seconds }) => bytes / seconds)),
      ratio: contender === slipway ? null : ratioOf(rounds, slipway, contender),
      cpuPerGiB: cpu.length > 0 ? (median(cpu) * gibibyte) / bytes : null,
      peakMemory: memory.length > 0 ? Math.max(...memory) : null,
    }
  })
}

export function judge(targets: readonly Target[], columns: readonly Column[]): readonly Verdict[] {
  return targets.map((target) => {
    const column = columns.find(({ contender }) => contender === target.beside)
    const ratio = column?.ratio?.median ?? null
    return { ...target, ratio, met: ratio === null ? null : ratio >= target.atLeast }
  })
}

/** Two of the same round ran under the same weather, so they are divided first and ordered afterwards. */
function ratioOf(rounds: readonly Round[], one: string, other: string): Spread {
  const pairs = rounds.filter(({ contender }) => contender === one)
  return spread(
    pairs.flatMap(({ round, seconds }) => {
      const beside = rounds.find((each) => each.round === round && each.contender === other)
      return beside ? [beside.seconds / seconds] : []
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
