#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { inspect, parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { asFailure, errno, Refusal } from './errors.ts'
import { complain, print, unreachable, wrong, type Command, type Values } from './main/command.ts'
import { entries, isGroup, linesOf, type Group } from './main/commands.ts'

// Bytes of transfers are short-lived: a young generation that stays small keeps them in the processor's cache, and the
// process smaller by half. What is imported above comes too early for both, so the commands import the rest themselves.
setFlagsFromString('--semi-space-growth-factor=1')
// Garbage keeps memory outside the heap from being given back: it is collected when there is half as much as is in use.
setFlagsFromString('--heap-growing-percent=50')
enableCompileCache()

const about = `slipway takes virtual machine images in, finds out what they are, and hands them out as OCI images.
`

const notes = `Settings are environment variables; slipway config lists them. What comes out is a table on a terminal and JSON elsewhere,
unless --output says otherwise.

Exit codes: 0 it is done; 1 the answer is no, such as an image that failed; 2 a command could not begin, or the service refused
it; 3 the service cannot be reached; 130 interrupted.
`

async function main(argv: readonly string[]): Promise<number> {
  const [first, ...others] = argv
  const args = first === '--version' ? ['version', ...others] : argv
  return await runOf('slipway', { about, notes, entries }, args)
}

/** Goes down the tables of commands as far as words name them. @param path the words so far */
async function runOf(path: string, group: Group, argv: readonly string[]): Promise<number> {
  const [name, ...args] = argv
  if (name === 'help' && args.length > 0) return await runOf(path, group, [...args, '--help'])
  if (name === undefined || name === 'help' || /^(?:--help|-h)$/.test(name)) {
    print(
      `${group.about}\n${linesOf(path, group.entries)}\n  ${path} COMMAND --help  more about a command\n\n${group.notes}`,
    )
    return name === undefined ? wrong : 0
  }
  const entry = group.entries.find((each) => each.name === name)
  if (!entry) throw new Refusal('UNSUPPORTED', `there is no command "${name}"; try ${path} --help`)
  const { command } = await entry.load()
  return isGroup(command) ? await runOf(`${path} ${name}`, command, args) : await run(command, args)
}

async function run(command: Command, args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
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
  const codes = ['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'EROFS', 'ENAMETOOLONG', 'ELOOP']
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
// What is said beside the work may be heard by nobody: the work goes on, and its exit code tells how it ended.
process.stderr.on('error', () => undefined)
try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const failure = asFailure(error)
  if (isMisuse(error)) complain(`${error.message}\ntry slipway --help`)
  else if (isMisnamed(error)) complain(`${error.message}; check the path, and who may use it`)
  else complain(failure.row.kind === 'bug' ? inspect(failure) : failure.message)
  process.exitCode = failure.code === 'SERVICE_UNREACHABLE' ? unreachable : wrong
}
