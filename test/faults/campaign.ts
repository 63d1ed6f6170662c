/** `npm run campaign [minutes] [seed] [trial[@round]…]`: all faults for so long, and a table of what they came to. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { usualSeed, workers } from './settings.ts'
import type { Outcome } from './trial.ts'
import { trials, type TrialRow } from './trials.ts'

const [minutes = '60', seed = String(usualSeed), ...asked] = process.argv.slice(2)
const rows: { readonly [name: string]: TrialRow } = trials
const names = asked.map((each) => each.split('@')[0] ?? each)
const [from = '0'] = asked.flatMap((each) => each.split('@').slice(1))
const unknown = names.filter((name) => !(name in rows))
if (unknown.length > 0 || !(Number(minutes) > 0) || !Number.isInteger(Number(seed))) {
  console.error(
    `npm run campaign [minutes] [seed] [trial[@round]…], trials: ${Object.keys(rows).join(' ')}`,
  )
  process.exit(2)
}

const folder = await mkdtemp(join(tmpdir(), 'slipway-campaign-'))
const report = join(folder, 'report')
const env = {
  ...process.env,
  CAMPAIGN_MINUTES: minutes,
  CAMPAIGN_SEED: seed,
  CAMPAIGN_FROM: from,
  CAMPAIGN_TRIALS: names.join(' '),
  CAMPAIGN_REPORT: report,
}
const projects = ['--project', 'faults', '--project', 'load']
const vitest = ['vitest', 'run', '--config', 'test/vitest.config.ts', ...projects]
const child = spawn('npx', [...vitest, '--maxWorkers', String(workers)], { env, stdio: 'inherit' })
const [code] = await once(child, 'exit')
const lines = (await readFile(report, 'utf8').catch(() => ''))
  .split('\n')
  .filter((line) => line !== '')
await rm(folder, { recursive: true })
const outcomes = lines.map((line): Outcome => JSON.parse(line))
console.log(table(outcomes))
// A trial that told nothing has not been played.
const missing = Object.keys(rows)
  .filter((name) => names.length === 0 || names.includes(name))
  .filter((name) => outcomes.every((outcome) => outcome.name !== name))
if (missing.length > 0) console.log(`not played: ${missing.join(' ')}`)
process.exit(code === 0 && missing.length === 0 ? 0 : 1)

function table(all: readonly Outcome[]): string {
  const order = Object.keys(rows)
  const sorted = all.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
  return ['| fault | tried | lost | again |', '|---|---|---|---|', ...sorted.map(lineOf)].join('\n')
}

function lineOf({ name, tried, notes, lost }: Outcome): string {
  const row = rows[name]
  const beside = Object.entries(notes).map(([what, count]) => `${digits(count)} ${what}`)
  const often = [`${digits(tried)} ${row?.unit ?? 'times'}`, ...beside].join(', ')
  const again = `\`npm run campaign ${minutes} ${seed} ${name}\``
  return `| ${row?.fault ?? name} | ${often} | ${lost ?? 'nothing'} | ${again} |`
}

/** 12 345. */
function digits(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ' ')
}
