#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import { inspect as inspectValue, parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import type { Settings } from './env.ts'
import { asFailure, Failure, Refusal } from './errors.ts'
import type { Facts } from './image/format.ts'

// Bytes of transfers are short-lived: a young generation that stays small keeps them in the processor's cache, and the
// process smaller by half. What is imported above comes too early for both, so the commands import the rest themselves.
setFlagsFromString('--semi-space-growth-factor=1')
// Garbage keeps memory outside the heap from being given back: it is collected when there is half as much as is in use.
setFlagsFromString('--heap-growing-percent=50')
enableCompileCache()

/** Exit codes: 0 done, 1 the answer is no, 2 it was asked or set up wrongly. */
const wrong = 2

const usage = `slipway takes virtual machine images in, finds out what they are, and hands them out as OCI images.

  slipway serve                     run the service
  slipway inspect FILE|URL          tell what an image is, without keeping it; docker://HOST/NAME:TAG too
  slipway config                    print all settings and what they are set to
  slipway version                   print the version

  slipway COMMAND --help            more about a command

Settings are environment variables; slipway config lists them.
`

const helps: { readonly [command: string]: string } = {
  serve: `slipway serve

Runs the service until SIGTERM or SIGINT. It listens on SLIPWAY_LISTEN and keeps everything under SLIPWAY_DATA_DIR.
`,
  inspect: `slipway inspect FILE|URL [--output json|table]
slipway inspect docker://HOST/NAME:TAG [--platform linux/amd64] [--authfile FILE] [--output json|table]

Tells format, virtual size and details of an image, and whether it would be taken. Of a file that is not compressed only
the places that tell are read, and its tables are followed to their ends; what is compressed or at a URL is read through, and
its tables are not followed, which an import does. Of a container image manifest and layers are told, and the disk is judged by its first 2 MiB;
FILE is one that skopeo login or docker login has written. Registries on loopback take SLIPWAY_SOURCE_ALLOW=127.0.0.0/8. Prints a table on a terminal, JSON elsewhere. Exit code 1 when the image would be refused.
`,
  config: `slipway config [--output json|table]

Prints every setting with its value and what is allowed. Exit code 2 when one of them is wrong.
`,
  version: `slipway version

Prints the version.
`,
}

async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
      output: { type: 'string', short: 'o' },
      platform: { type: 'string' },
      authfile: { type: 'string' },
    },
  })
  const [command, ...operands] = positionals
  if (values.version || command === 'version') return await version()
  if (values.help || command === undefined) {
    print(helps[command ?? ''] ?? usage)
    return command === undefined && !values.help ? wrong : 0
  }
  const output = outputOf(values.output)
  if (command === 'serve') return await serve(await withSettings())
  if (command === 'config') return await config(output)
  if (command === 'inspect') {
    const { platform, authfile } = values
    return await inspect({ what: one(operands), platform, authfile }, output, await withSettings())
  }
  throw new Refusal('UNSUPPORTED', `there is no command "${command}"; try slipway --help`)
}

type Output = 'json' | 'table'

function outputOf(wanted: string | undefined): Output {
  if (wanted === undefined) return process.stdout.isTTY ? 'table' : 'json'
  if (wanted === 'json' || wanted === 'table') return wanted
  throw new Refusal('UNSUPPORTED', `--output is "${wanted}"; allowed: json or table`)
}

function one(operands: readonly string[]): string {
  const [operand, ...others] = operands
  if (operand !== undefined && others.length === 0) return operand
  throw new Refusal('UNSUPPORTED', 'give exactly one file or URL; try slipway inspect --help')
}

async function version(): Promise<number> {
  const { programVersion } = await import('./app.ts')
  return print(`${programVersion()}\n`)
}

async function withSettings(): Promise<Settings> {
  const { readSettings } = await import('./env.ts')
  const { settings, problems } = readSettings(process.env)
  if (settings) return settings
  throw new Refusal('UNSUPPORTED', problems.join('\n'))
}

async function serve(settings: Settings): Promise<number> {
  const { openLog } = await import('./log.ts')
  const { openService } = await import('./app.ts')
  const { hostPort } = await import('./env.ts')
  const log = openLog({ level: settings.logLevel, format: settings.logFormat })
  const told = signalled()
  const service = await openService(settings, log)
  log.info({ listen: hostPort(service.address), data: settings.dataDir }, 'slipway is ready')
  log.info({ signal: await told }, 'stopping')
  await service.stop()
  log.info('stopped')
  return 0
}

/** Resolves with the first signal. A second one ends the process at once, as the shell's user expects. */
function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const told = (signal: NodeJS.Signals) => {
      for (const each of ['SIGTERM', 'SIGINT'] as const) process.removeListener(each, told)
      resolve(signal)
    }
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, told)
  })
}

async function config(output: Output): Promise<number> {
  const { describeSettings, readSettings } = await import('./env.ts')
  const rows = describeSettings(process.env)
  const { problems } = readSettings(process.env)
  if (output === 'json') {
    print(`${JSON.stringify(Object.fromEntries(rows.map((row) => [row.variable, row.value])))}\n`)
  } else {
    const width = Math.max(...rows.map(({ variable }) => variable.length))
    for (const { variable, value, meaning, allowed } of rows) {
      print(`${variable.padEnd(width)}  ${value ?? '(none)'}\n`)
      print(`${''.padEnd(width)}    ${meaning}; ${allowed}\n`)
    }
  }
  if (!problems) return 0
  complain(problems.join('\n'))
  return wrong
}

type Looked = {
  readonly what: string
  readonly platform: string | undefined
  readonly authfile: string | undefined
}

async function inspect(looked: Looked, output: Output, settings: Settings): Promise<number> {
  const signal = new AbortController().signal
  const limits = {
    maxVirtualSize: settings.maxVirtualSize,
    maxOutput: settings.maxImageSize,
  }
  try {
    return await tell(await look(looked, settings, limits, signal), output)
  } catch (error) {
    // What cannot even be asked for is a mistake of the call, not a verdict.
    if (!(error instanceof Failure) || error.row.kind === 'bug') throw error
    if (error.code === 'INVALID_REQUEST') throw error
    return refuse(error, output)
  }
}

type LookLimits = { readonly maxVirtualSize: number; readonly maxOutput: number }

/** What is told of a file, and what is beside it. */
type Seen = Omit<Facts, 'unpackedBytes' | 'allocatedBytes'> & {
  readonly unpackedBytes: number | null
  readonly allocatedBytes: number | null
  readonly beside?: { readonly [name: string]: unknown }
}

async function look(
  looked: Looked,
  settings: Settings,
  limits: LookLimits,
  signal: AbortSignal,
): Promise<Seen> {
  const { what, platform, authfile } = looked
  const { examine, examineFile } = await import('./work/examine.ts')
  if (/^docker:\/\//i.test(what)) return await lookAtImage(looked, settings, signal)
  if (platform ?? authfile) {
    throw new Refusal('UNSUPPORTED', '--platform and --authfile are for docker://HOST/NAME:TAG')
  }
  if (!/^https?:\/\//i.test(what)) {
    const { openLocalFile } = await import('./work/local-file.ts')
    await using file = await openLocalFile(what)
    return await examineFile(file, limits, signal)
  }
  const { sourceOptions } = await import('./app.ts')
  const { sources } = await import('./source/table.ts')
  const { HTTP } = sources(sourceOptions(settings))
  const { body, size } = await HTTP.at({ url: what }).open(null, signal)
  return await examine(body, size, limits, signal)
}

async function lookAtImage(
  { what: image, platform, authfile }: Looked,
  settings: Settings,
  signal: AbortSignal,
): Promise<Seen> {
  const { sourceOptions } = await import('./app.ts')
  const { sources } = await import('./source/table.ts')
  const { Prober } = await import('./work/probe.ts')
  // Nothing is kept, so there is nothing to have room for.
  const station = { room: { checkSize() {} }, limits: settings }
  const prober = new Prober({ sources: sources(sourceOptions(settings)), station })
  const auth = authfile === undefined ? {} : { auth: await readAuth(authfile) }
  const containerImage = { image, ...(platform !== undefined && { platform }), ...auth }
  const probed = await prober.probe({ type: 'ContainerImage', containerImage }, signal)
  const { refusal, facts, contents, source, isComplete: complete, wrapping } = probed
  if (refusal) throw refusal
  if (!facts) throw new Refusal('UNSUPPORTED', 'the first 2 MiB do not tell what the disk is')
  const beside = { ...source, ...contents, complete, ...(wrapping.length > 0 && { wrapping }) }
  return { ...facts, allocatedBytes: null, beside }
}

async function readAuth(path: string) {
  const { readFile } = await import('node:fs/promises')
  const unreadable = (cause: unknown) => {
    throw new Refusal('INVALID_REQUEST', `the file ${path} cannot be read`, { cause })
  }
  return { '.dockerconfigjson': await readFile(path, 'utf8').catch(unreadable) }
}

async function tell(seen: Seen, output: Output): Promise<number> {
  const { formatSize } = await import('./image/size.ts')
  const { format, unpackedBytes, allocatedBytes, bootable, architecture, details, beside } = seen
  const cdrom = format === 'iso'
  const sizeOf = (bytes: number) => `${formatSize(bytes)} (${bytes} bytes)`
  if (output === 'json') {
    const found = {
      format,
      cdrom,
      ...(unpackedBytes !== null && { unpackedBytes: String(unpackedBytes) }),
      ...(allocatedBytes !== null && { allocatedBytes: String(allocatedBytes) }),
      bootable,
      architecture,
      details,
      ...beside,
    }
    return print(`${JSON.stringify(found)}\n`)
  }
  const rows = {
    format,
    cdrom,
    ...(unpackedBytes !== null && { unpacked: sizeOf(unpackedBytes) }),
    ...(allocatedBytes !== null && { allocated: sizeOf(allocatedBytes) }),
    bootable,
    ...(architecture && { architecture }),
    ...details,
    ...beside,
  }
  for (const [name, value] of Object.entries(rows)) {
    print(`${name.padEnd(16)}${typeof value === 'object' ? JSON.stringify(value) : value}\n`)
  }
  return 0
}

function refuse({ code, message }: Failure, output: Output): number {
  if (output === 'json') print(`${JSON.stringify({ refused: { code, message } })}\n`)
  else print(`refused (${code}): ${message}\n`)
  return 1
}

function print(text: string): 0 {
  process.stdout.write(text)
  return 0
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`)
}

function isMisuse(error: unknown): error is Error {
  return (
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  )
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const failure = asFailure(error)
  if (isMisuse(error)) complain(`${error.message}\ntry slipway --help`)
  else complain(failure.row.kind === 'bug' ? inspectValue(failure) : failure.message)
  process.exitCode = wrong
}
