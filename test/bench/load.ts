import type { Bench, Paced } from './bench.ts'
import { run } from './command.ts'

export type Load = {
  /** Kept alive; over each goes one request after the other. */
  readonly connections: number
  readonly seconds: number
  /** The only core that the requests come from. */
  readonly core: number
  readonly headers: readonly string[]
}

/**
 * GETs of one URL, as many as there can be.
 * @throws Error when any of them was not answered with success
 */
export async function load(
  url: string,
  { connections, seconds, core, headers }: Load,
  { within, signal }: Pick<Bench, 'within' | 'signal'>,
): Promise<Paced> {
  const counts = ['--threads', '1', '--connections', String(connections)]
  const asked = headers.flatMap((header) => ['--header', header])
  const args = [...counts, '--duration', `${seconds}s`, '--latency', ...asked, url]
  const told = await run('taskset', ['--cpu-list', String(core), 'wrk', ...args], within, signal)
  const failures = /^ *(?:Non-2xx or 3xx responses|Socket errors):.*$/m.exec(told)
  if (failures) throw new Error(`${url}: ${failures[0].trim()}`)
  const [, amount, time] = /(\d+) requests in ([\d.]+s)/.exec(told) ?? []
  const latency = { p50: quantile(told, 50), p99: quantile(told, 99) }
  return { amount: Number(amount), seconds: inSeconds(time), latency }
}

function quantile(told: string, percent: number): number {
  return inSeconds(new RegExp(`^ *${percent}%\\s+(\\S+)$`, 'm').exec(told)?.[1])
}

const units = { us: 1e-6, ms: 1e-3, s: 1 } as const

function inSeconds(text = ''): number {
  const [, number, unit] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? []
  if (unit === 'us' || unit === 'ms' || unit === 's') return Number(number) * units[unit]
  throw new Error(`wrk told no time: "${text}"`)
}
