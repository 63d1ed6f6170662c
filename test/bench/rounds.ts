import type { Bench, Contender } from './bench.ts'
import { run } from './command.ts'
import { forgetPeak, usageOf } from './usage.ts'

export type Round = {
  readonly round: number
  readonly contender: string
  readonly seconds: number
  /** Seconds of user and system time, of the server alone; null when there is none. */
  readonly cpu: number | null
  /** Bytes, the most in this step. */
  readonly peakMemory: number | null
}

/** Each in turn, and each round begins with another one: what disturbs the machine disturbs all. */
export async function alternate(
  contenders: readonly Contender[],
  bench: Bench,
): Promise<readonly Round[]> {
  const rounds: Round[] = []
  for (let round = 0; round < bench.rounds; round += 1) {
    const turn = round % contenders.length
    for (const contender of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
      rounds.push(await measure(contender, round + 1, bench))
    }
  }
  return rounds
}

async function measure(contender: Contender, round: number, bench: Bench): Promise<Round> {
  const { name, pid } = contender
  const step = await contender.begin()
  // Nobody pays for what somebody else has written.
  await run('sync', ['--file-system', bench.folder], bench.within, bench.signal)
  await forgetPeak(pid)
  const before = await usageOf(pid)
  const start = performance.now()
  await step.run()
  const seconds = (performance.now() - start) / 1000
  const after = await usageOf(pid)
  await step.end()
  bench.say(`round ${round}, ${name}: ${seconds.toFixed(2)} s`)
  const cpu = after && before && after.cpu - before.cpu
  return { round, contender: name, seconds, cpu, peakMemory: after?.peakMemory ?? null }
}
