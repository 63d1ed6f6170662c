import type { Image } from '../../client/images.ts'
import type { UploadAddress } from '../../client/uploads.ts'
import { Failure, Refusal } from '../../errors.ts'
import { insist } from './insist.ts'
import { ChangedFile, type SentFile } from './sent-file.ts'
import type { Transfer } from './transfer.ts'

export type SendingOptions = {
  /** Null when no bytes are waited for any more. @throws Refusal UPLOAD_BUSY while others send */
  readonly find: () => Promise<UploadAddress | null>
  readonly file: SentFile
  /** Whether what is there of another file is dropped. */
  readonly isAnew: boolean
  readonly retryFor: number
  readonly transfer: Transfer
}

/** One file on its way to the service. */
export class Sending {
  readonly #options: SendingOptions
  #address: UploadAddress | null = null
  #isAnew: boolean
  /** Whether this process has begun to send: what is there is of its file then. */
  #hasBegun = false
  /** Bytes that the service said it has. */
  #there = 0

  constructor(options: SendingOptions) {
    this.#options = options
    this.#isAnew = options.isAnew
  }

  /**
   * Resolves when all of it is there: with the image, or null when it has ended in another way than by this request's answer.
   * @throws what the service refuses; Refusal UPLOAD_CONFLICT for another file; ChangedFile
   */
  async run(signal: AbortSignal): Promise<Image | null> {
    const { retryFor, transfer } = this.#options
    const onBreak = ({ message }: Failure) => {
      transfer.say(`${message}; trying again`)
      transfer.pause()
    }
    const reached = () => this.#there
    try {
      return await insist(() => this.#attempt(signal), { retryFor, reached, onBreak }, signal)
    } catch (error) {
      if (error instanceof ChangedFile) throw await this.#givenUp(error, signal)
      throw error
    }
  }

  async #attempt(signal: AbortSignal): Promise<Image | null> {
    const { file, transfer, find } = this.#options
    const address = (this.#address ??= await find())
    if (address === null) return null
    const { phase, offset, length } = await address.look(signal)
    if (phase !== 'WaitForUserUpload' && phase !== 'Provisioning') return null
    const there = this.#isAnew ? 0 : Math.min(offset, file.size - 1)
    if (there > 0 && length !== undefined && length !== file.size) throw otherLength(length, file)
    if (there > 0 && !this.#hasBegun) await this.#compare(there, signal)
    this.#there = there
    const show = (bytes: number) => transfer.show(bytes, file.size)
    const body = file.from(there, show)
    const sha256 = this.#hasBegun ? null : (file.sha256?.toString('base64') ?? null)
    this.#hasBegun = true
    try {
      const image = await address.send({ body, from: there, size: file.size, sha256 }, signal)
      this.#isAnew = false
      return image
    } catch (error) {
      throw await this.#explained(error, address, there, signal)
    }
  }

  /** The service is told the digest of the whole: it takes the rest of no other file than the one that was begun. */
  async #compare(there: number, signal: AbortSignal): Promise<void> {
    const { file, transfer } = this.#options
    await file.digest((bytes) => transfer.show(bytes, file.size, 'reading the file, '), signal)
    transfer.pause()
    transfer.say(`going on at ${Math.floor((100 * there) / file.size)}%`)
  }

  /** What is there has become less, as after a crash: then it goes on from there. Else it is another file. */
  async #explained(
    error: unknown,
    address: UploadAddress,
    from: number,
    signal: AbortSignal,
  ): Promise<unknown> {
    if (!(error instanceof Failure)) return error
    if (error.code === 'UPLOAD_INTERRUPTED' || error.code === 'SERVICE_UNREACHABLE') {
      this.#isAnew = false
      return error
    }
    if (error.code !== 'UPLOAD_CONFLICT') return error
    const { offset } = await address.look(signal)
    if (offset >= from) return new Refusal('UPLOAD_CONFLICT', `${error.message}; ${anew}`)
    return new Refusal('UPLOAD_BUSY', `the service has only ${offset} bytes by now`)
  }

  async #givenUp(error: ChangedFile, signal: AbortSignal): Promise<Refusal> {
    await this.#address?.giveUp(signal)
    const what = 'what was sent is dropped; run the command again when nobody writes to the file'
    return new Refusal('UNSUPPORTED', `${error.message}: ${what}`)
  }
}

const anew = 'send that one, or this one from its beginning with --anew'

function otherLength(length: number, { path, size }: SentFile): Refusal {
  return new Refusal(
    'UPLOAD_CONFLICT',
    `another file was begun, of ${length} bytes; ${path} has ${size}; ${anew}`,
  )
}
