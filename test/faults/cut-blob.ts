import { digestOf } from '../../src/image/digest.ts'
import { setTimeout as pause } from 'node:timers/promises'
import { imageManifest } from '../support/push-content.ts'
import type { Random } from '../support/random.ts'
import { headerOf, told, type PatientClient } from './patient-client.ts'

/** From its beginning on a push has so long, in milliseconds. */
const limit = 120_000
/** Before who holds a session is asked again to let go of it, in milliseconds. */
const politely = 100

const octets = { 'content-type': 'application/octet-stream' }

/** An image that is pushed and pulled over a cable that breaks. */
export class CutPushes {
  readonly #client: PatientClient
  readonly #repository: string
  readonly #random: Random

  constructor(client: PatientClient, repository: string, random: Random) {
    this.#client = client
    this.#repository = repository
    this.#random = random
  }

  /** Layer, config, manifest under a tag; and all of it read again. */
  async image(tag: string, layer: Buffer): Promise<void> {
    const parts = this.#parts(layer)
    for (const { bytes } of parts) await this.#blob(bytes)
    const [of, ...layers] = parts.map(({ bytes, digest }) => ({ digest, size: bytes.length }))
    if (!of) throw new Error('there is no config')
    const manifest = imageManifest(of, layers)
    const path = `/v2/${this.#repository}/manifests`
    const put = await this.#client.answered('PUT', `${path}/${tag}`, {
      body: manifest.bytes,
      headers: { 'content-type': manifest.mediaType },
    })
    if (put.status !== 201) throw new Error(`the manifest was answered ${told(put)}`)
    const got = await this.#client.answered('GET', `${path}/${tag}`)
    if (!got.body.equals(manifest.bytes)) throw new Error(`${path} gave ${told(got)}`)
    for (const { bytes, digest } of parts) await this.#expect(bytes, digest)
  }

  /** The tag, the manifest and its blobs, and the name with them. */
  async delete(tag: string, layer: Buffer): Promise<void> {
    const base = `/v2/${this.#repository}`
    const head = await this.#client.answered('HEAD', `${base}/manifests/${tag}`)
    const digest = headerOf(head, 'docker-content-digest')
    const blobs = this.#parts(layer).map((part) => `blobs/${part.digest}`)
    const all = [`manifests/${tag}`, `manifests/${digest}`, ...blobs].map((at) => `${base}/${at}`)
    for (const path of all) {
      const { status } = await this.#client.answered('DELETE', path)
      // 404: the answer to the one before was not heard.
      if (status !== 202 && status !== 404) throw new Error(`DELETE ${path} answered ${status}`)
    }
    for (const path of all) {
      const { status } = await this.#client.answered('HEAD', path)
      if (status !== 404) throw new Error(`${path} is there after its deletion: ${status}`)
    }
  }

  #parts(layer: Buffer) {
    const config = Buffer.from(JSON.stringify({ os: 'linux', of: this.#repository }))
    return [config, layer].map((bytes) => ({ bytes, digest: digestOf(bytes) }))
  }

  async #expect(bytes: Buffer, digest: string): Promise<void> {
    const read = await this.#client.read(`/v2/${this.#repository}/blobs/${digest}`, bytes.length)
    if (!read.equals(bytes)) throw new Error(`${digest} has other bytes`)
  }

  async #blob(bytes: Buffer): Promise<void> {
    const digest = digestOf(bytes)
    const session = await this.#begin()
    const until = performance.now() + limit
    for (let acknowledged = 0; performance.now() < until;) {
      const offset = await this.#offset(session)
      if (offset === null && (await this.#isHere(digest))) return
      if (offset === null) throw new Error('the session is gone, and the blob is not here')
      // An empty one and one of a byte are told alike.
      if (offset < acknowledged) {
        throw new Error(`${offset} bytes are told, ${acknowledged} were acknowledged`)
      }
      acknowledged = offset
      const end = await this.#send(session, bytes, offset === 1 ? 0 : offset)
      if (end === bytes.length) await this.#finish(session, digest)
    }
    throw new Error(`${digest} did not come to its end`)
  }

  async #begin(): Promise<string> {
    const path = `/v2/${this.#repository}/blobs/uploads/`
    const answer = await this.#client.answered('POST', path)
    if (answer.status !== 202) throw new Error(`a session was answered ${told(answer)}`)
    const { pathname, search } = new URL(headerOf(answer, 'location'), 'http://service')
    return pathname + search
  }

  /** Null: the session is over. */
  async #offset(session: string): Promise<number | null> {
    const answer = await this.#client.answered('GET', session)
    if (answer.status === 404) return null
    if (answer.status !== 204) throw new Error(`${session} answered ${told(answer)}`)
    const [, last] = /^0-(\d+)$/.exec(headerOf(answer, 'range')) ?? []
    return Number(last) + 1
  }

  /** @returns where the next bytes begin, as far as it was told; 0 when it was not */
  async #send(session: string, bytes: Buffer, from: number): Promise<number> {
    if (from === bytes.length) return from
    const end = Math.min(bytes.length, from + 1 + this.#random.below(600_000))
    const headers = { ...octets, 'content-range': `${from}-${end - 1}` }
    const body = bytes.subarray(from, end)
    const answer = await this.#client.once('PATCH', session, { headers, body })
    if (!answer) return 0
    if (answer.status === 202) return end
    // Out of order is the first byte that is there already; 404, an end that was not heard of.
    if (![400, 404, 408, 416, 429].includes(answer.status)) {
      throw new Error(`the bytes from ${from} on were answered ${told(answer)}`)
    }
    await pause(politely)
    return 0
  }

  async #finish(session: string, digest: string): Promise<void> {
    const path = `${session}${session.includes('?') ? '&' : '?'}digest=${digest}`
    const answer = await this.#client.once('PUT', path)
    if (!answer || [201, 404, 408, 429].includes(answer.status)) return
    throw new Error(`the end was answered ${told(answer)}`)
  }

  async #isHere(digest: string): Promise<boolean> {
    const path = `/v2/${this.#repository}/blobs/${digest}`
    return (await this.#client.answered('HEAD', path)).status === 200
  }
}
