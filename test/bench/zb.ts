import type { Bench } from './bench.ts'
import { run } from './command.ts'
import type { Program } from './programs.ts'

/** Like zot it is not to be had as a Go module. */
export const zb: Program = {
  name: 'zb',
  package: null,
  builtBy:
    "zot's benchmark program: build cmd/zb of its sources and set SLIPWAY_TOOLS to the folder above its bin/",
}

/** One of its tests, as it counts. */
export type Counted = { readonly name: string; readonly seconds: number; readonly requests: number }

/** At the same time, and in all. */
const clients = 2
const requests = 20
/** They move about 10 GiB, whatever the size of our file: at 20 MiB/s, in milliseconds. */
const within = 600_000

/**
 * All tests that take one registry only.
 * @param folder for what it pushes; it is gone afterwards
 * @throws Error when anything failed
 */
export async function runZb(
  base: string,
  folder: string,
  { signal }: Pick<Bench, 'signal'>,
): Promise<readonly Counted[]> {
  const counts = ['-c', String(clients), '-n', String(requests)]
  const args = [...counts, '-d', folder, '-r', 'bench', base]
  const told = await run('zb', args, within, signal).catch((cause: unknown) => {
    throw new Error(`zb failed with ${base}: ${complaints(printedBy(cause))}`, { cause })
  })
  const tests = parts(told).map(counted)
  if (tests.length === 0) throw new Error(`zb ran no test with ${base}`)
  const done = tests.every((test) => test.requests === requests)
  if (done && !complaint.test(told)) return tests
  throw new Error(`zb counts failures with ${base}: ${complaints(told)}`)
}

/** Of one test after the other. */
function parts(told: string): readonly string[] {
  return told.split(/^=+$/m).slice(1)
}

const complaint = /^(?:Failed requests: *[1-9]\d*|Error .*)$/m

/** The tests that had failures; without any, the last words. */
function complaints(told: string): string {
  const found = parts(told).flatMap((part) => {
    const lines = part.split('\n').filter((line) => complaint.test(line))
    return lines.length > 0 ? `${field(part, 'Test name')}: ${lines.join(', ')}` : []
  })
  return found.length > 0 ? found.join('; ') : told.trim().split('\n').slice(-3).join(' ')
}

function counted(part: string): Counted {
  return {
    name: field(part, 'Test name'),
    seconds: inSeconds(field(part, 'Time taken for tests')),
    requests: Number(field(part, 'Complete requests')),
  }
}

function field(part: string, name: string): string {
  const found = new RegExp(`^${name}:\\s+(.+)$`, 'm').exec(part)?.[1]
  if (found === undefined) throw new Error(`zb did not tell "${name}" in:\n${part}`)
  return found
}

const units: { readonly [unit: string]: number } = {
  h: 3600,
  m: 60,
  s: 1,
  ms: 1e-3,
  '\u00b5s': 1e-6,
  ns: 1e-9,
}

/** Go's way to write a duration: `1m2.5s`, `957.26911ms`. */
function inSeconds(text: string): number {
  const terms = text.match(/[\d.]+(?:h|ms|m|s|\u00b5s|ns)/g) ?? []
  if (terms.join('') !== text) throw new Error(`zb told no time: "${text}"`)
  return terms.reduce((sum, term) => sum + parseFloat(term) * unitOf(term), 0)
}

function unitOf(term: string): number {
  return units[term.replace(/^[\d.]+/, '')] ?? NaN
}

/** What a program had on its standard output when it failed. */
function printedBy(error: unknown): string {
  const told = error instanceof Error && 'stdout' in error ? error.stdout : null
  return typeof told === 'string' ? told : ''
}
