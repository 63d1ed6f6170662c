import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tool } from '../clients.ts'
import { attempt } from '../shell.ts'

export type Run = {
  /** `http://address:port` of the service. */
  readonly base: string
  /** It writes there, into nothing else. */
  readonly folder: string
  readonly seed: number
  /** Requests of each operation and phase, beside those that its coverage of the document makes. */
  readonly examples: number
  readonly phases: readonly ('examples' | 'coverage' | 'fuzzing' | 'stateful')[]
  /** Null for nobody's. */
  readonly authorization: string | null
  /** What stands in paths, by the parameter's name, among what is made up. */
  readonly known: { readonly [parameter: string]: readonly string[] }
}

/** Longer than any run takes, in milliseconds. */
const limit = 900_000

/**
 * Asks whatever the OpenAPI document describes, and holds each answer against it.
 * @returns how many requests it made
 * @throws Error with all that it found
 */
export async function schemathesis(run: Run): Promise<number> {
  await writeFile(join(run.folder, 'schemathesis.toml'), configuration(run))
  await writeFile(join(run.folder, 'hooks.py'), hooks)
  const of = `${run.base}/openapi.json`
  const fixed = '--no-color --workers 2 --continue-on-failure --request-timeout 60'
  const args = [
    'run',
    of,
    ...fixed.split(' '),
    '--generation-database=none',
    `--seed=${run.seed}`,
    `--max-examples=${run.examples}`,
    `--phases=${run.phases.join()}`,
    // They have no end.
    '--exclude-path-regex=events$',
    ...(run.authorization === null ? [] : [`--header=Authorization: ${run.authorization}`]),
  ]
  const env = { PATH: process.env['PATH'], HOME: run.folder, SCHEMATHESIS_HOOKS: 'hooks' }
  const ended = await attempt(tool('schemathesis'), args, { env, cwd: run.folder, limit })
  const [, count] = /^ {2}(\d+) generated/m.exec(ended.stdout) ?? []
  if (ended.code === 0 && count !== undefined) return Number(count)
  const begin = Math.max(0, ended.stdout.search(/^=+ (?:ERRORS|FAILURES) =/m))
  throw new Error(`schemathesis ended with ${ended.code}: ${ended.stdout.slice(begin)}`)
}

/** Bodies of uploads are bytes, whatever their media types say. */
const hooks = `import schemathesis

schemathesis.serializer.alias(
    ["application/offset+octet-stream", "application/partial-upload"], "application/octet-stream"
)
`

function configuration({ known, authorization }: Run): string {
  const names = Object.keys(known)
  return [
    // What a schema cannot say, such as that a body has one section of four, is refused as well.
    '[checks.positive_data_acceptance]\nenabled = false',
    // Whoever asks without credentials may do everything there.
    ...(authorization === null ? ['[checks.ignored_auth]\nenabled = false'] : []),
    '[warnings]\nenabled = false',
    ...names.map((name) => `[dictionaries.${name}]\nvalues = ${JSON.stringify(known[name])}`),
    '[parameters]',
    ...names.map((name) => `"path.${name}" = { dictionary = "${name}", probability = 0.7 }`),
    ...exceptions,
    '',
  ].join('\n')
}

const exceptions = [
  // A source that cannot be reached is somebody else's fault.
  exception('/api/v1/probe', 'not_a_server_error', 'expected-statuses = ["2xx", "4xx", "502"]'),
  // Another version of tus is told first of all, whatever else is wrong, and options are the same for all tokens.
  exception('/upload/{token}', 'negative_data_rejection', 'enabled = false'),
  exception('/upload/{token}', 'unsupported_method', 'enabled = false'),
  // Where there are no credentials there is no such place.
  exception('/token', 'unsupported_method', 'enabled = false'),
]

function exception(path: string, check: string, line: string): string {
  return `[[operations]]\ninclude-path = "${path}"\nchecks.${check}.${line}`
}
