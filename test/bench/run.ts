import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { Bench, Measurement } from './bench.ts'
import { describeMachine } from './machine.ts'
import { container } from './measure/container.ts'
import { importing } from './measure/import.ts'
import { manifestGet } from './measure/manifest-get.ts'
import { pull } from './measure/pull.ts'
import { push } from './measure/push.ts'
import { registryPull } from './measure/registry-pull.ts'
import { unwrapping } from './measure/unwrap.ts'
import { s3Ingest } from './measure/s3-ingest.ts'
import { upload } from './measure/upload.ts'
import { webUpload } from './measure/web-upload.ts'
import { readOptions, usage, type Options } from './options.ts'
import { installCommand, missing, type Program } from './programs.ts'
import { describeReport, type Measured, type Report, type Studied } from './report.ts'
import { alternate } from './rounds.ts'
import { columnsOf, judge } from './statistics.ts'
import { applyToReady } from './studies/apply-to-ready.ts'
import { cutsStudy } from './studies/cuts.ts'
import { deleteMany } from './studies/delete-many.ts'
import { eventStreams } from './studies/event-streams.ts'
import { gcMillion } from './studies/gc-million.ts'
import { inspect as inspectStudy } from './studies/inspect.ts'
import { metricsScrape } from './studies/metrics-scrape.ts'
import { nodeChurn } from './studies/node-churn.ts'
import { rebuildStudy } from './studies/rebuild.ts'
import { statusPolls } from './studies/status-polls.ts'
import { verdicts } from './studies/verdicts.ts'
import { webFirstPaint } from './studies/web-first-paint.ts'
import { webList } from './studies/web-list.ts'
import { zb } from './studies/zb.ts'
import type { Study } from './study.ts'
import { assertRoom, openWorkspace, writeRandomFile } from './workspace.ts'

const measurements: readonly Measurement[] = [
  upload,
  webUpload,
  s3Ingest,
  pull,
  ...push,
  ...registryPull,
  ...manifestGet,
  ...unwrapping,
  ...container,
  ...importing,
]
const studies: readonly Study[] = [
  inspectStudy,
  verdicts,
  zb,
  cutsStudy,
  deleteMany,
  gcMillion,
  rebuildStudy,
  statusPolls,
  eventStreams,
  applyToReady,
  nodeChurn,
  webFirstPaint,
  metricsScrape,
  webList,
]

/** A step slower than 20 MiB/s, beside a minute for what does not depend on the size, hangs. */
const slowest = 20 * 1024 * 1024
const atLeast = 60_000

type Named = { readonly name: string; readonly group?: string }

const namesOf = ({ name, group = name }: Named) => [...new Set([group, name])]

function chosen<Kind extends Named>(all: readonly Kind[], { only }: Options): readonly Kind[] {
  return all.filter((each) => only === null || namesOf(each).some((name) => only.includes(name)))
}

/** @throws Error when something else is asked for than there is */
function assertKnown({ only }: Options): void {
  const names = [...new Set([...measurements, ...studies].flatMap(namesOf))]
  const unknown = only?.find((name) => !names.includes(name))
  if (unknown === undefined) return
  throw new Error(`--only names "${unknown}"; allowed: ${names.join(', ')}`)
}

type Ground = Omit<Bench, 'unlessMissing' | 'file'>
type Moving = Ground & Pick<Bench, 'file'>

async function measureAll(options: Options, signal: AbortSignal): Promise<Report> {
  const { dir, size, rounds } = options
  assertKnown(options)
  const machine = describeMachine()
  await assertRoom(dir, size)
  await using workspace = await openWorkspace(dir)
  const { folder } = workspace
  const within = atLeast + (size / slowest) * 1000
  const ground = { folder, rounds, within, signal, say }
  const measured = await moving(chosen(measurements, options), size, ground)
  const studied: Studied[] = []
  for (const each of chosen(studies, options)) studied.push(await study(each, ground))
  return { machine, size, measurements: measured, studies: studied }
}

async function moving(wanted: readonly Measurement[], size: number, ground: Ground) {
  const measured: Measured[] = []
  if (wanted.length === 0) return measured
  say('writing random data')
  const file = await writeRandomFile(join(ground.folder, 'random'), size, ground.signal)
  for (const each of wanted) measured.push(await measure(each, { ...ground, file }))
  return measured
}

async function study({ name, title, needs, run }: Study, ground: Ground): Promise<Studied> {
  const leftOut: string[] = []
  const bench = { ...ground, unlessMissing: noting(leftOut) }
  say(`${name}: ${title}`)
  const found = await bench.unlessMissing(needs, () => run(bench))
  return { name, title, leftOut, ...(found ?? { headings: [], rows: [], notes: [] }) }
}

async function measure(measurement: Measurement, ground: Moving): Promise<Measured> {
  const { name, title, unit, needs, targets } = measurement
  const leftOut: string[] = []
  const folder = join(ground.folder, name)
  const bench = { ...ground, folder, unlessMissing: noting(leftOut) }
  say(`${name}: ${title}`)
  const found = await bench.unlessMissing(needs, async () => {
    await using resources = new AsyncDisposableStack()
    // The copies of one measurement are gone before the next one makes its own.
    resources.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
    await mkdir(folder)
    const { bytes, contenders } = await measurement.open(bench, resources)
    const present = contenders.filter((each) => each !== null)
    return await alternate(present, bytes, bench)
  })
  const rounds = found ?? []
  const columns = columnsOf(rounds)
  return { name, title, unit, leftOut, rounds, columns, targets: judge(targets, columns) }
}

function noting(leftOut: string[]): Bench['unlessMissing'] {
  return async (programs: readonly Program[], make) => {
    const absent = await missing(programs)
    if (absent.length === 0) return await make()
    const line = `${absent.map(({ name }) => name).join(', ')}; ${installCommand(absent)}`
    if (!leftOut.includes(line)) {
      say(`not installed: ${line}`)
      leftOut.push(line)
    }
    return null
  }
}

/** Where it is, on standard error: standard output is for the result. */
function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** Aborted by the first signal, so that servers and files go; a second one ends the process. */
function interrupted(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new Error(`stopped by ${name}`)))
  }
  return controller.signal
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') return void process.stdout.write(usage)
  const report = await measureAll(options, interrupted())
  const json = `${JSON.stringify(report, null, 2)}\n`
  if (options.output !== null) await writeFile(options.output, json)
  process.stdout.write(options.json ? json : `${describeReport(report)}\n`)
}

try {
  await main()
} catch (error) {
  say(error instanceof Error && error.cause === undefined ? error.message : inspect(error))
  process.exitCode = 1
}
