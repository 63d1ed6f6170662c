import type { Settings } from '../env.ts'
import { Failure, Refusal } from '../errors.ts'
import type { Facts } from '../image/format.ts'
import { outputOf, print, textOf, withSettings, type Command, type Output } from './command.ts'

export const command: Command = {
  help: `slipway inspect FILE|URL [--output json|table]
slipway inspect docker://HOST/NAME:TAG [--platform linux/amd64] [--authfile FILE] [--output json|table]

Tells format, virtual size and details of an image, and whether it would be taken. Of a file that is not compressed only
the places that tell are read, and its tables are followed to their ends; what is compressed or at a URL is read through, and
its tables are not followed, which an import does. Of a container image manifest and layers are told, and the disk is judged by
its first 2 MiB; the FILE of --authfile is one that skopeo login or docker login has written. Registries on loopback take
SLIPWAY_SOURCE_ALLOW=127.0.0.0/8. Prints a table on a terminal, JSON elsewhere. Exit code 1 when the image would be refused.
`,
  options: { platform: { type: 'string' }, authfile: { type: 'string' } },
  async run(operands, values) {
    const output = outputOf(values)
    const [platform, authfile] = [textOf(values, 'platform'), textOf(values, 'authfile')]
    return await inspect({ what: one(operands), platform, authfile }, output, await withSettings())
  },
}

function one(operands: readonly string[]): string {
  const [operand, ...others] = operands
  if (operand !== undefined && others.length === 0) return operand
  throw new Refusal('UNSUPPORTED', 'give exactly one file or URL; try slipway inspect --help')
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
  const { examine, examineFile } = await import('../work/examine.ts')
  if (/^docker:\/\//i.test(what)) return await lookAtImage(looked, settings, signal)
  if (platform ?? authfile) {
    throw new Refusal('UNSUPPORTED', '--platform and --authfile are for docker://HOST/NAME:TAG')
  }
  if (!/^https?:\/\//i.test(what)) {
    const { openLocalFile } = await import('../work/local-file.ts')
    await using file = await openLocalFile(what)
    return await examineFile(file, limits, signal)
  }
  const { sourceOptions } = await import('../app/source-options.ts')
  const { sources } = await import('../source/table.ts')
  const { HTTP } = sources(sourceOptions(settings))
  const { body, size } = await HTTP.at({ url: what }).open(null, signal)
  return await examine(body, size, limits, signal)
}

async function lookAtImage(
  { what: image, platform, authfile }: Looked,
  settings: Settings,
  signal: AbortSignal,
): Promise<Seen> {
  const { sourceOptions } = await import('../app/source-options.ts')
  const { sources } = await import('../source/table.ts')
  const { Prober } = await import('../work/probe.ts')
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
  const { formatSize } = await import('../image/size.ts')
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
