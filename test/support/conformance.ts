import { access, constants, mkdir, readFile, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { attempt } from './shell.ts'

const tools = process.env['SLIPWAY_TOOLS'] ?? join(homedir(), '.cache', 'slipway-tools')
const program = join(tools, 'bin', 'conformance')
const reports = fileURLToPath(new URL('../../.conformance', import.meta.url))

/** A run takes about five seconds, in milliseconds. */
const limit = 110_000

/**
 * Whether the specification's own program is here.
 * @throws Error when it is missing and CI is set
 */
export async function hasConformanceProgram(): Promise<boolean> {
  try {
    await access(program, constants.X_OK)
    return true
  } catch {
    const line = `${program} is missing, so the OCI conformance program is not run; to get it: .ci/tools (needs Go 1.26)`
    if (process.env['CI']) throw new Error(line)
    console.warn(line)
    return false
  }
}

export type Verdict = {
  readonly code: number | null
  /** As the report counts: a case may count for more than one test. */
  readonly tests: number
  /** What the sums of the report say of tests that did not pass, by kind. */
  readonly sums: { readonly [kind: string]: number }
  /** Cases that did not pass, with what was said about them. */
  readonly unpassed: readonly string[]
  readonly cases: number
  /** Schemes that the program used, in the order of their first use. */
  readonly credentials: readonly string[]
}

/**
 * Runs the specification's conformance program with everything it knows switched on, but manifests whose content is missing,
 * which this registry refuses. The program's exit code and summary count what was skipped as passed, so its report decides.
 * @param name of the folder under `.conformance` where the report stays
 * @param variables in addition to those that every run has
 */
export async function judgeRegistry(
  name: string,
  host: string,
  variables: { readonly [variable: string]: string },
): Promise<Verdict> {
  const folder = join(reports, name)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const env = {
    OCI_REGISTRY: host,
    OCI_VERSION: 'dev',
    OCI_DATA_SPARSE: 'false',
    OCI_RESULTS_DIR: folder,
    ...variables,
  }
  const { code, stdout, stderr } = await attempt(program, [], { cwd: folder, env, limit })
  const report = await readFile(join(folder, 'junit.xml'), 'utf8').catch((cause: unknown) => {
    throw new Error(`the program left no report; it said: ${stdout}${stderr}`, { cause })
  })
  return { code, ...verdictOf(report) }
}

const notPassed = ['failures', 'errors', 'skipped', 'disabled'] as const

/** Text is escaped in the report, so tags are tags wherever they stand. */
export function verdictOf(report: string): Omit<Verdict, 'code'> {
  const [totals = ''] = /<testsuites\b[^>]*>/.exec(report) ?? []
  const [suite = ''] = /<testsuite\s[^>]*>/.exec(report) ?? []
  const cases = report.split(/(?=<testcase\b)/).slice(1)
  const unpassed = cases.filter((text) => attribute(text, 'status') !== 'passed')
  return {
    tests: Number(attribute(totals, 'tests')),
    // What is none is left out in some of the places.
    sums: Object.fromEntries(
      notPassed.map((kind) => [
        kind,
        Math.max(...[totals, suite].map((tag) => Number(attribute(tag, kind) ?? 0))),
      ]),
    ),
    unpassed: unpassed.map(describe),
    cases: cases.length,
    credentials: [
      ...new Set([...report.matchAll(/Authorization: \[(\w+)/g)].map(([, scheme = '']) => scheme)),
    ],
  }
}

function describe(text: string): string {
  const [, said = ''] = /<system-out>([^<]*)</.exec(text) ?? []
  return `${attribute(text, 'name')}: ${attribute(text, 'status')} ${said.slice(0, 500)}`
}

function attribute(text: string, name: string): string | null {
  const [tag = ''] = /^<[^>]*>/.exec(text) ?? []
  return new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? null
}
