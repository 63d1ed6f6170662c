import type { Stats } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { diskOf, openDisk, type DiskFile } from '../../client/disks.ts'
import type { Rest } from '../../client/rest.ts'
import { errno, Outage, Refusal } from '../../errors.ts'
import { algorithmOf, type Digest } from '../../image/digest.ts'
import { formatSize } from '../../image/size.ts'
import { complain, type Command, type Values } from '../command.ts'
import { openClient } from './client.ts'
import { insist, retryForOf } from './insist.ts'
import { missing } from './names.ts'
import { PartFile } from './part-file.ts'
import { Piped, type Target } from './target.ts'
import { transferring, type Transfer } from './transfer.ts'

export const command: Command = {
  help: `slipway images download NAME [FILE] [--force] [--retry-for TIME]

Brings the disk of an image into a file, which appears when all of it is there and has the digest that the service tells. Until
then its bytes are beside it, in FILE.DIGEST.part: after a lost connection, a restart of the service or an interruption, even by
kill -9, the same command goes on there. Zeros become holes. Without FILE it is called as the service calls it; FILE may be a
folder, or "-" for standard output.

  --force            FILE may exist, and is replaced at the end
  --retry-for TIME   how long to try again without getting on, 15m without it

Exit code 1 when there is no such image, or what came has another digest.
`,
  options: { force: { type: 'boolean' }, 'retry-for': { type: 'string' } },
  async run(operands, values) {
    const [name, file, ...others] = operands
    if (name === undefined || others.length > 0) {
      throw new Refusal(
        'UNSUPPORTED',
        'give NAME and, if you like, FILE; try slipway images download --help',
      )
    }
    const retryFor = retryForOf(values)
    const { rest } = await openClient()
    const work = (transfer: Transfer, signal: AbortSignal) =>
      download({ rest, name, file: file ?? null, retryFor, values, transfer }, signal)
    try {
      return await transferring(work, file === '-' ? cutOff : stopped)
    } catch (error) {
      if (error instanceof Refusal && error.code === 'IMAGE_NOT_FOUND') return missing(name)
      throw error
    }
  },
}

type Errand = {
  readonly rest: Rest
  readonly name: string
  readonly file: string | null
  readonly retryFor: number
  readonly values: Values
  readonly transfer: Transfer
}

function stopped({ percent }: Transfer): string {
  return `stopped${percent === '' ? '' : ` at ${percent}`}; the same command goes on from there`
}

function cutOff(): string {
  return 'stopped; not all of the disk was written'
}

async function download(errand: Errand, signal: AbortSignal): Promise<number> {
  const { rest, name, transfer } = errand
  const ask = () => diskOf(rest, name, signal)
  const disk = await insist(
    ask,
    insistence(errand, () => 0),
    signal,
  )
  await using target = await targetOf(disk, errand, signal)
  const { position } = target
  if (position > 0) transfer.say(`going on at ${Math.floor((100 * position) / disk.size)}%`)
  try {
    const attempt = () => bring(disk, target, errand, signal)
    await insist(
      attempt,
      insistence(errand, () => target.position),
      signal,
    )
  } finally {
    await target.keep()
  }
  const place = await target.finish()
  transfer[Symbol.dispose]()
  complain(`${name} is in ${place}: ${formatSize(disk.size)}, ${disk.digest}`)
  return 0
}

function insistence({ retryFor, transfer }: Errand, reached: () => number) {
  const onBreak = ({ message }: Error) => {
    transfer.say(`${message}; trying again`)
    transfer.pause()
  }
  return { retryFor, reached, onBreak }
}

/** What is missing. */
async function bring(
  { size, digest }: DiskFile,
  target: Target,
  { rest, name, transfer }: Errand,
  signal: AbortSignal,
): Promise<void> {
  if (target.position === size) return
  const pieces = await openDisk(rest, name, { digest, from: target.position }, signal)
  for await (const piece of pieces) {
    await target.write(piece, signal)
    transfer.show(target.position, size)
  }
  if (target.position !== size) throw new Outage('SERVICE_UNREACHABLE', 'the connection broke')
}

async function targetOf(disk: DiskFile, errand: Errand, signal: AbortSignal): Promise<Target> {
  const digest = sha256Of(disk.digest)
  if (errand.file === '-') return pipe(digest)
  const path = await pathOf(disk, errand)
  if (errand.values['force'] !== true) await assertFree(path)
  const part = await PartFile.open(path, digest)
  try {
    const show = (bytes: number) =>
      errand.transfer.show(bytes, disk.size, 'reading what is there, ')
    await part.recall(disk.size, show, signal)
    errand.transfer.pause()
    await assertRoom(path, disk.size - part.position)
    return part
  } catch (error) {
    await part[Symbol.asyncDispose]()
    throw error
  }
}

function pipe(digest: Digest): Piped {
  if (!process.stdout.isTTY) return new Piped(digest)
  throw new Refusal('UNSUPPORTED', 'a terminal shows no disk; send standard output elsewhere')
}

async function pathOf({ fileName }: DiskFile, { file, name }: Errand): Promise<string> {
  const usual = /^[\w-][\w.-]*$/.test(fileName) ? fileName : name
  if (file === null) return usual
  const found = await foundAt(file)
  if (found?.isDirectory() === true) return join(file, usual)
  if (found === null || found.isFile()) return file
  throw new Refusal(
    'UNSUPPORTED',
    `${file} is no file, and would be replaced by one; to write into it: slipway images download ${name} - > ${file}`,
  )
}

async function foundAt(path: string): Promise<Stats | null> {
  try {
    return await stat(path)
  } catch (error) {
    if (errno(error) === 'ENOENT') return null
    throw error
  }
}

async function assertFree(path: string): Promise<void> {
  try {
    await access(path)
  } catch (error) {
    if (errno(error) === 'ENOENT') return
    throw error
  }
  throw new Refusal(
    'UNSUPPORTED',
    `${path} exists; choose another FILE, or replace it with --force`,
  )
}

async function assertRoom(path: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(path))
  if (bavail * bsize >= needed) return
  const free = formatSize(bavail * bsize)
  throw new Outage(
    'STORAGE_FULL',
    `${dirname(path)} has room for ${free}, and ${formatSize(needed)} are to come; free space, or choose another FILE`,
  )
}

function sha256Of(digest: Digest): Digest {
  if (algorithmOf(digest) === 'sha256') return digest
  throw new Refusal(
    'UNSUPPORTED',
    `the service tells ${digest}; this version compares sha256 alone`,
  )
}
