import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { findImage, type Image } from '../../client/images.ts'
import type { Rest } from '../../client/rest.ts'
import { UploadAddress } from '../../client/uploads.ts'
import { Failure, Flaw, Refusal } from '../../errors.ts'
import { nameOfFile } from '../../image/name.ts'
import {
  complain,
  formOf,
  forms,
  written,
  type Command,
  type Form,
  type Values,
} from '../command.ts'
import { troubleOf } from './advice.ts'
import { openClient } from './client.ts'
import { retryForOf } from './insist.ts'
import { Sending } from './sending.ts'
import { SentFile } from './sent-file.ts'
import { showImage } from './shown.ts'
import { transferring, type Transfer } from './transfer.ts'
import { waitingImage } from './waiting-image.ts'

export const command: Command = {
  help: `slipway images upload FILE [NAME] [--anew] [--retry-for TIME] [--output table|json|yaml|name]

Sends a file and waits until its image is Ready. Without NAME the image is called after the file. The image is created where
there is none; one that waits for its upload takes the file, and one that failed begins again. Lost connections and restarts of
the service are survived. After an interruption the same command goes on where it was: the file is read and its digest told
first, so that the rest of another file is refused. At the end the digest of what the service has is compared.

FILE may be "-": standard input, which needs a NAME and cannot go on after an interruption.

  --anew             drop what is there of another file, and begin with the first byte
  --retry-for TIME   how long to try again without getting on, 15m without it; a service keeps a begun upload for
                     SLIPWAY_UPLOAD_IDLE

The bytes go to SLIPWAY_URL, whatever the public URL of the service is. Exit code 1 when the image is refused, has failed, or
has other bytes than the file.
`,
  options: { anew: { type: 'boolean' }, 'retry-for': { type: 'string' } },
  choices: { output: forms },
  async run(operands, values) {
    const { file, name } = operandsOf(operands)
    const form = formOf(values)
    retryForOf(values)
    const { rest, base, userAgent } = await openClient()
    const errand = { rest, base, userAgent, name, values, form }
    return file === '-' ? await sendInput(errand) : await sendFile(file, errand)
  },
}

type Errand = {
  readonly rest: Rest
  readonly base: string
  readonly userAgent: string
  readonly name: string
  readonly values: Values
  readonly form: Form
}

function operandsOf(operands: readonly string[]) {
  const [file, name, ...others] = operands
  if (file === undefined || others.length > 0) throw misused('give FILE and, if you like, NAME')
  if (file === '-' && name === undefined)
    throw misused('give a NAME for what comes by standard input')
  return { file, name: name ?? nameOfFile(basename(file)) }
}

function misused(what: string): Refusal {
  return new Refusal('UNSUPPORTED', `${what}; try slipway images upload --help`)
}

async function sendFile(path: string, errand: Errand): Promise<number> {
  await using file = await SentFile.open(path)
  const work = async (transfer: Transfer, signal: AbortSignal) => {
    await waitingImage(errand.rest, errand.name, (text) => transfer.say(text), signal)
    const sent = await sentTo(file, errand, transfer, signal)
    const ended = sent ?? (await shownNow(errand, signal))
    const show = (bytes: number) => transfer.show(bytes, file.size, 'reading the file, ')
    const sha256 = ended.status.phase === 'Ready' ? await file.digest(show, signal) : null
    transfer[Symbol.dispose]()
    return await tell(ended, sha256?.toString('hex') ?? null, errand.form)
  }
  return await transferring(work, stopped)
}

function stopped({ percent }: Transfer): string {
  return `stopped${percent === '' ? '' : ` at ${percent}`}; the same command goes on from there`
}

async function sentTo(
  file: SentFile,
  errand: Errand,
  transfer: Transfer,
  signal: AbortSignal,
): Promise<Image | null> {
  const isAnew = errand.values['anew'] === true
  const retryFor = retryForOf(errand.values)
  const find = async () => addressOf(await shownNow(errand, signal), errand)
  try {
    return await new Sending({ find, file, isAnew, retryFor, transfer }).run(signal)
  } catch (error) {
    // It has ended meanwhile; the image tells how.
    if (error instanceof Failure && error.code === 'UPLOAD_GONE') return null
    throw error
  }
}

async function sendInput(errand: Errand): Promise<number> {
  const work = async (transfer: Transfer, signal: AbortSignal) => {
    const image = await waitingImage(errand.rest, errand.name, (text) => transfer.say(text), signal)
    const address = addressOf(image, errand)
    if (address === null)
      throw new Refusal('UNSUPPORTED', `the image "${image.name}" is Ready already`)
    const input = hashed(process.stdin, (bytes) => transfer.show(bytes, null))
    const body = Readable.from(input.pieces, { objectMode: false })
    const sent = await address.send({ body, from: 0, size: null, sha256: null }, signal)
    transfer[Symbol.dispose]()
    return await tell(sent ?? (await shownNow(errand, signal)), input.sha256(), errand.form)
  }
  return await transferring(
    work,
    () => 'stopped; what was sent is of no use: standard input cannot go on',
  )
}

function hashed(input: AsyncIterable<unknown>, onBytes: (bytes: number) => void) {
  const hash = createHash('sha256')
  let bytes = 0
  async function* pieces() {
    for await (const piece of input) {
      if (!(piece instanceof Uint8Array)) continue
      hash.update(piece)
      bytes += piece.length
      onBytes(bytes)
      yield piece
    }
  }
  return { pieces: pieces(), sha256: () => hash.digest('hex') }
}

/**
 * By the way that the service is reached. Null for an image that has ended.
 * @throws Refusal UPLOAD_BUSY while somebody sends it, or all of it is there
 */
function addressOf({ name, status }: Image, { base, userAgent }: Errand) {
  const told = status.imageUploadURLs?.external ?? status.upload?.resumeCommand ?? ''
  const token = /\/upload\/(\w+)/.exec(told)?.[1]
  if (token !== undefined) return new UploadAddress(`${base}/upload/${token}`, userAgent)
  if (over.has(status.phase)) return null
  throw new Refusal('UPLOAD_BUSY', `"${name}" is being sent or finished at present`)
}

const over: ReadonlySet<string> = new Set(['Ready', 'Failed', 'ImageLost', 'Terminating'])

async function shownNow({ rest, name }: Errand, signal: AbortSignal): Promise<Image> {
  const image = await findImage(rest, name, signal)
  if (image) return image
  throw new Refusal('IMAGE_NOT_FOUND', `the image "${name}" was deleted meanwhile`)
}

/** @param sha256 of what was sent, hex; null where that is of no account */
async function tell(image: Image, sha256: string | null, form: Form): Promise<number> {
  const { name, status } = image
  if (status.phase !== 'Ready') {
    complain(`the image "${name}" is ${status.phase}: ${troubleOf(image)}`)
    return 1
  }
  if (sha256 !== status.source?.sha256) throw otherBytes(name, sha256, status.source?.sha256)
  if (form !== 'table') await showImage(image, form)
  else await written(`${name} is Ready: ${summaryOf(image)}\n`)
  return 0
}

function summaryOf({ status: { format, size, target } }: Image): string {
  return [format, size?.unpacked, target.registryURL].filter(Boolean).join(', ')
}

function otherBytes(name: string, here: string | null, there: string | undefined): Flaw {
  return new Flaw(
    'CHECKSUM_MISMATCH',
    `the image "${name}" is Ready with other bytes than these (sha256 ${there ?? 'unknown'} there, ${here ?? 'unknown'} here); delete it, or choose another name`,
  )
}
