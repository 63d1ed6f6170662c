import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../support/random.ts'
import { headerOf, told, type Answer, type PatientClient } from './patient-client.ts'

/** How a client sends the rest of a file. */
export const ways = ['put', 'tus', 'draft'] as const
export type Way = (typeof ways)[number]

/** Answers after which a client looks where to go on. */
const goesOn = new Set([400, 408, 409, 423])
/** Before whoever holds the upload is asked again to let go of it, in milliseconds. */
const politely = 100
/** From its beginning on an upload has so long, in milliseconds: a connection that is held for ever among it. */
const limit = 120_000

/** One file on its way to the URL of an upload, and what was promised about it. */
export class CutUpload {
  readonly #client: PatientClient
  readonly #path: string
  readonly #bytes: Buffer
  readonly #random: Random
  readonly way: Way
  /** What an answer has promised, in bytes. */
  #acknowledged = 0
  #most = 0

  constructor(client: PatientClient, path: string, bytes: Buffer, random: Random) {
    this.#client = client
    this.#path = path
    this.#bytes = bytes
    this.#random = random
    this.way = random.pick(ways)
  }

  /** Resolves when the service says that it has all of it. */
  async run(): Promise<void> {
    const until = performance.now() + limit
    if (this.way === 'tus') await this.#announce(until)
    for (;;) {
      const offset = await this.#offset()
      if (offset === null) return
      await this.#send(offset)
      if (performance.now() > until) throw new Error(`${this.#path} is at ${offset} bytes`)
    }
  }

  /** The cable may still hold a creation that was cut or said twice: the service says then that somebody else is at it. */
  async #announce(until: number): Promise<void> {
    const headers = { 'tus-resumable': '1.0.0', 'upload-length': String(this.#bytes.length) }
    for (;;) {
      const answer = await this.#client.answered('POST', this.#path, { headers })
      if (answer.status === 201) return
      const isBusy = answer.status === 423 && performance.now() < until
      if (!isBusy) throw new Error(`the creation was answered ${told(answer)}`)
    }
  }

  /** Null when it is there. @throws Error when the offset cannot be true */
  async #offset(): Promise<number | null> {
    const answer = await this.#client.answered('HEAD', this.#path)
    if (answer.status !== 200) throw new Error(`HEAD was answered ${told(answer)}`)
    if (headerOf(answer, 'upload-complete') === '?1') return null
    const offset = Number(headerOf(answer, 'upload-offset'))
    if (offset < this.#acknowledged || offset > this.#most) {
      throw new Error(
        `${offset} bytes are told of ${this.#path} (${this.way}), ${this.#acknowledged} were acknowledged and ${this.#most} sent`,
      )
    }
    this.#promise(offset)
    return offset
  }

  /** A PUT may be said twice by the cable: it begins where it says, and what lay beyond is replaced. */
  #promise(offset: number): void {
    if (this.way !== 'put') this.#acknowledged = offset
  }

  async #send(offset: number): Promise<void> {
    const rest = this.#bytes.length - offset
    const length = this.way === 'put' ? rest : Math.min(rest, 1 + this.#random.below(600_000))
    const body = this.#bytes.subarray(offset, offset + length)
    this.#most = Math.max(this.#most, offset + length)
    const method = this.way === 'put' ? 'PUT' : 'PATCH'
    const headers = this.#headers(offset, length)
    const answer = await this.#client.once(method, this.#path, { headers, body })
    if (answer) this.#judge(answer, offset + length)
    if (answer?.status === 423) await pause(politely)
  }

  #headers(offset: number, length: number): { readonly [name: string]: string } {
    const size = this.#bytes.length
    const range = `bytes ${offset}-${size - 1}/${size}`
    if (this.way === 'put') return offset < size ? { 'content-range': range } : {}
    const at = { 'upload-offset': String(offset) }
    if (this.way === 'tus') {
      return { ...at, 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream' }
    }
    return {
      ...at,
      'upload-draft-interop-version': '8',
      'upload-complete': offset + length === size ? '?1' : '?0',
      'content-type': 'application/partial-upload',
    }
  }

  #judge(answer: Answer, end: number): void {
    const { status } = answer
    if (status === 204 || status === 201 || status === 202) return this.#promise(end)
    // It came to its end while nobody heard the answer.
    if (status === 410 || goesOn.has(status)) return
    throw new Error(`the bytes up to ${end} were answered ${told(answer)}`)
  }
}
