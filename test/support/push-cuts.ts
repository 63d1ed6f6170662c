import { setTimeout as pause } from 'node:timers/promises'
import { digestOf } from '../../src/image/digest.ts'
import type { Random } from './random.ts'
import { bytesOf, lastOf, rangeOf, type Bytes, type RegistryClient } from './registry-client.ts'
import { request, type Heard, type Wire } from './wire.ts'

/** How a client sends the rest of a blob. */
export const manners = ['chunks', 'stream', 'length', 'put'] as const
export type Manner = (typeof manners)[number]

type Headers = { readonly [name: string]: string }

/** A blob on its way over connections that break, and what was promised about it. */
export class CutPush {
  readonly bytes: Bytes
  readonly session: string
  readonly #client: RegistryClient
  readonly #random: Random
  /** What an answer has promised, in bytes. */
  acknowledged = 0
  /** The most that can be there. */
  most = 0
  cuts = 0

  constructor(client: RegistryClient, session: string, bytes: Bytes, random: Random) {
    this.#client = client
    this.session = session
    this.bytes = bytes
    this.#random = random
  }

  /** Asks for the offset, which must be true: between what was promised and what was sent. Null: the session is over. */
  async offset(): Promise<number | null> {
    const last = await this.#client.last(this.session)
    if (last === null) return null
    const offset = last === 0 ? await this.#zeroOrOne() : last + 1
    if (offset < this.acknowledged || offset > this.most) {
      throw new Error(
        `${offset} bytes are told, ${this.acknowledged} were acknowledged and ${this.most} sent`,
      )
    }
    return offset
  }

  /**
   * Sends what is missing and cuts the connection on the way.
   * @param from where the rest begins
   */
  async cut(from: number, manner: Manner): Promise<void> {
    this.cuts += 1
    const end = this.#endOf(from, manner)
    // What the service has not begun to read would come in behind the next question for the offset.
    const wire = await this.#request(from, end, manner, { Expect: '100-continue' })
    await wire.hears('100 Continue')
    // Of some nothing but the head is sent, of some everything but the answer is not awaited.
    const until = this.#random.below(8) === 0 ? end : from + this.#random.below(end - from + 1)
    this.most = Math.max(this.most, until)
    await this.#send(wire, from, until, manner)
    if (this.#random.below(2) === 0) await pause(this.#random.below(4))
    if (this.#random.below(2) === 0) wire.breakOff()
    else wire[Symbol.dispose]()
  }

  /** The same without a cut: the answer has to be 202, or 201 for a PUT. */
  async send(from: number, manner: Manner): Promise<Heard> {
    const end = this.#endOf(from, manner)
    using wire = await this.#request(from, end, manner, {})
    this.most = Math.max(this.most, end)
    await this.#send(wire, from, end, manner)
    if (manner === 'stream') await wire.send('0\r\n\r\n')
    const { status, text } = await wire.answer()
    if (status === 202) this.acknowledged = end
    return { status, text }
  }

  /** Reads the blob once it is there. */
  async isRight(repository: string): Promise<boolean> {
    const answer = await this.#client.blob('GET', repository, digestOf(this.bytes))
    return answer.status === 200 && (await bytesOf(answer)).equals(this.bytes)
  }

  /** Both are told as `0-0`; a chunk that says where it lies finds out. */
  async #zeroOrOne(): Promise<number> {
    const answer = await this.#client.append(this.session, this.bytes.subarray(0, 1), 0)
    await answer.bytes()
    if (answer.status === 202) this.most = Math.max(this.most, 1)
    else if (answer.status !== 416) throw new Error(`the first byte was answered ${answer.status}`)
    if (lastOf(answer.headers.get('range')) !== 0) throw new Error('the first byte is not the last')
    return 1
  }

  #endOf(from: number, manner: Manner): number {
    const rest = this.bytes.length - from
    return manner === 'chunks'
      ? from + Math.min(rest, 1 + this.#random.below(600_000))
      : from + rest
  }

  async #request(from: number, end: number, manner: Manner, more: Headers): Promise<Wire> {
    const length = { 'Content-Length': end - from }
    const headers = {
      chunks: { ...length, 'Content-Range': rangeOf(from, end - from) },
      stream: { 'Transfer-Encoding': 'chunked' },
      length,
      put: length,
    }[manner]
    const query = manner === 'put' ? `?digest=${digestOf(this.bytes)}` : ''
    const url = this.#client.url(this.session + query)
    return await request(manner === 'put' ? 'PUT' : 'PATCH', url, { ...headers, ...more })
  }

  async #send(wire: Wire, from: number, until: number, manner: Manner): Promise<void> {
    for (let at = from; at < until;) {
      const piece = this.bytes.subarray(at, Math.min(until, at + 1 + this.#random.below(300_000)))
      if (manner === 'stream') await wire.send(`${piece.length.toString(16)}\r\n`)
      await wire.send(piece)
      if (manner === 'stream') await wire.send('\r\n')
      at += piece.length
    }
  }
}

/**
 * Pushes one blob to its end over connections of which many are cut.
 * @param mostCuts after so many the rest goes through
 * @returns how many were cut
 */
export async function pushThroughCuts(
  client: RegistryClient,
  repository: string,
  bytes: Bytes,
  mostCuts: number,
  random: Random,
): Promise<number> {
  const push = new CutPush(client, await client.begin(repository), bytes, random)
  for (;;) {
    const from = await push.offset()
    if (from === null) {
      // A PUT that was cut when all of it had been sent may have come to its end.
      if (push.most === bytes.length && (await push.isRight(repository))) return push.cuts
      throw new Error('the session is gone, and the blob is not here')
    }
    const manner = random.pick(manners)
    if (push.cuts < mostCuts && from < bytes.length && random.below(8) > 0) {
      await push.cut(from, manner)
      continue
    }
    if (from === bytes.length || manner === 'put') break
    const { status, text } = await push.send(from, manner)
    if (status !== 202) throw new Error(`the rest from ${from} on was answered: ${text}`)
  }
  const from = (await push.offset()) ?? bytes.length
  const { status, text } = await push.send(from, 'put')
  if (status !== 201) throw new Error(`the end from ${from} on was answered: ${text}`)
  if (!(await push.isRight(repository))) throw new Error('the blob has other bytes')
  return push.cuts
}
