#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { inspect, parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { asFailure, errno, Refusal } from './errors.ts'
import { complain, print, wrong, type Command, type Values } from './main/command.ts'

// Bytes of transfers are short-lived: a young generation that stays small keeps them in the processor's cache, and the
// process smaller by half. What is imported above comes too early for both, so the commands import the rest themselves.
setFlagsFromString('--semi-space-growth-factor=1')
// Garbage keeps memory outside the heap from being given back: it is collected when there is half as much as is in use.
setFlagsFromString('--heap-growing-percent=50')
enableCompileCache()

const usage = `slipway takes virtual machine images in, finds out what they are, and hands them out as OCI images.

  slipway serve                     run the service
  slipway controller                keep Kubernetes resources in step with the service
  slipway inspect FILE|URL          tell what an image is, without keeping it; docker://HOST/NAME:TAG too
  slipway evaluate -f FILE          tell whether a virtual machine fits its class
  slipway gc                        remove what nothing needs, or count it
  slipway scrub                     read everything again and find what is damaged
  slipway copy-store                copy all images to another storage, while they are served
  slipway rebuild                   make the catalog again from the storage
  slipway backup FILE               copy the catalog while the service runs
  slipway crds                      print the definitions of the Kubernetes resources
  slipway config                    print all settings and what they are set to
  slipway version                   print the version

  slipway COMMAND --help            more about a command

Settings are environment variables; slipway config lists them. What comes out is a table on a terminal and JSON elsewhere,
unless --output says otherwise. Exit code 2 when a command could not begin or the service refused it.
`

/** Each is loaded when it is asked for. */
const commands = new Map<string, () => Promise<{ command: Command }>>([
  ['serve', () => import('./main/serve.ts')],
  ['controller', () => import('./main/controller.ts')],
  ['inspect', () => import('./main/inspect.ts')],
  ['evaluate', () => import('./main/evaluate.ts')],
  ['gc', () => import('./main/gc.ts')],
  ['scrub', () => import('./main/scrub.ts')],
  ['copy-store', () => import('./main/copy-store.ts')],
  ['rebuild', () => import('./main/rebuild.ts')],
  ['backup', () => import('./main/backup.ts')],
  ['crds', () => import('./main/crds.ts')],
  ['config', () => import('./main/config.ts')],
  ['version', () => import('./main/version.ts')],
])

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...args] = argv
  if (name === undefined || name === 'help' || /^(?:--help|-h)$/.test(name)) {
    print(usage)
    return name === undefined ? wrong : 0
  }
  const load = commands.get(name === '--version' ? 'version' : name)
  if (!load) throw new Refusal('UNSUPPORTED', `there is no command "${name}"; try slipway --help`)
  const { command } = await load()
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...command.options,
      help: { type: 'boolean', short: 'h' },
      output: { type: 'string', short: 'o' },
    },
  })
  return values.help === true ? print(command.help) : await command.run(positionals, given(values))
}

/** Only an option that is `multiple` has a list; of any other the last one counts. */
function given(values: { readonly [option: string]: unknown }): Values {
  return Object.fromEntries(
    Object.entries(values).map(([option, value]) => [option, isValue(value) ? value : undefined]),
  )
}

function isValue(value: unknown): value is Values[string] {
  if (Array.isArray(value)) return value.every((each) => typeof each === 'string')
  return typeof value === 'string' || typeof value === 'boolean'
}

function isMisuse(error: unknown): error is Error {
  return (
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  )
}

/** A folder or a file that was named wrongly, or is not for this user. */
function isMisnamed(error: unknown): error is Error {
  const codes = ['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM']
  return error instanceof Error && 'path' in error && codes.includes(errno(error) ?? '')
}

/** 0 and 1 are answers, and nobody was told which one. */
function untold(error: Error): void {
  const code = errno(error) ?? 'unknown'
  // Whoever reads no more, as `head` does, wants to hear nothing.
  if (code !== 'EPIPE') complain(`what was to be told cannot be written (${code})`)
  process.exit(wrong)
}

process.stdout.on('error', untold)
try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const failure = asFailure(error)
  if (isMisuse(error)) complain(`${error.message}\ntry slipway --help`)
  else if (isMisnamed(error)) complain(`${error.message}; check the path, and who may use it`)
  else complain(failure.row.kind === 'bug' ? inspect(failure) : failure.message)
  process.exitCode = wrong
}
