import type { Bench, Contender, Latency } from './bench.ts'
import { run } from './command.ts'
import { forgetPeak, usageOf } from './usage.ts'

export type Round = {
  readonly round: number
  readonly contender: string
  readonly seconds: number
  /** Bytes or requests that these seconds were needed for. */
  readonly amount: number
  /** Of the requests, where they were counted one by one. */
  readonly latency: Latency | null
  /** Seconds of user and system time, of the server alone; null when there is none. */
  readonly cpu: number | null
  /** Bytes, the most in this step. */
  readonly peakMemory: number | null
}

/**
 * Each in turn, and each round begins with another one: what disturbs the machine disturbs all.
 * @param bytes that a step moves
 */
export async function alternate(
  contenders: readonly Contender[],
  bytes: number,
  bench: Bench,
): Promise<readonly Round[]> {
  const rounds: Round[] = []
  for (let round = 0; round < bench.rounds; round += 1) {
    const turn = round % contenders.length
    for (const contender of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
      rounds.push(await measure(contender, { round: round + 1, bytes }, bench))
    }
  }
  return rounds
}

type Moved = { readonly round: number; readonly bytes: number }

async function measure(
  contender: Contender,
  { round, bytes }: Moved,
  bench: Bench,
): Promise<Round> {
  const { name, pid } = contender
  const step = await contender.begin()
  // Nobody pays for what somebody else has written.
  await run('sync', ['--file-system', bench.folder], bench.within, bench.signal)
  await forgetPeak(pid)
  const before = await usageOf(pid)
  const start = performance.now()
  const paced = await step.run()
  const seconds = paced?.seconds ?? (performance.now() - start) / 1000
  const after = await usageOf(pid)
  await step.end()
  const amount = paced?.amount ?? bytes
  const told = paced ? `${amount} requests in ` : ''
  bench.say(`round ${round}, ${name}: ${told}${seconds.toFixed(2)} s`)
  const cpu = after && before && after.cpu - before.cpu
  const peakMemory = after?.peakMemory ?? null
  const latency = paced?.latency ?? null
  return { round, contender: name, seconds, amount, latency, cpu, peakMemory }
}
