import { setTimeout as pause } from 'node:timers/promises'
import { digestOf } from '../../src/image/digest.ts'
import { contentOf, imageManifest } from './push-content.ts'
import { CutPush, type Manner } from './push-cuts.ts'
import { Random } from './random.ts'
import { bytesOf, expectStatus, RegistryClient, type Bytes } from './registry-client.ts'
import type { Service } from './service.ts'

const pushers = 5
/** Bytes of a blob, at most. */
const largest = 1_500_000
/** From the first request to the end of the service, in milliseconds at most. */
const longest = 600

/** What was promised: it must be there whatever happens to the service. */
type Promised = { readonly repository: string; readonly bytes: Bytes }

/** Clients that push without a pause while the service is ended under them again and again. */
export class PushKills {
  readonly #service: Service
  readonly #client: RegistryClient
  readonly #random: Random
  readonly #promised: Promised[] = []
  /** Digests that a tag may point at; one alone is certain. */
  readonly #tags = new Map<string, ReadonlySet<string>>()
  readonly #manifests: { readonly repository: string; readonly bytes: Bytes }[] = []
  #isDown = false
  readonly counts = { blobs: 0, manifests: 0, taken: 0, ended: 0 }

  constructor(service: Service, seed: number) {
    this.#service = service
    this.#client = new RegistryClient(() => service.base)
    this.#random = new Random(seed)
  }

  /** @param end ends the service */
  async round(end: () => Promise<void>): Promise<void> {
    this.#isDown = false
    const names = Array.from({ length: pushers }, (_, index) => `kill/p${index}`)
    const work = [...names.map((name) => this.#pushing(name)), this.#tagging('kill/tags')]
    const all = Promise.all(work)
    await Promise.race([pause(this.#random.below(longest)), all])
    this.#isDown = true
    await end()
    const unfinished = (await all).filter((push) => push !== null)
    await this.#service.start()
    for (const { push, repository } of unfinished) await this.#goOn(push, repository)
    await this.#check()
  }

  async #pushing(repository: string) {
    const random = new Random(this.#random.below(2 ** 31))
    for (;;) {
      let push: CutPush | null = null
      try {
        const session = await this.#client.begin(repository)
        const bytes = contentOf(random, 1 + random.below(largest))
        push = new CutPush(this.#client, session, bytes, random)
        await this.#toTheEnd(push, repository, random)
      } catch (error) {
        if (!this.#isDown) throw error
        return push && { push, repository }
      }
    }
  }

  async #toTheEnd(push: CutPush, repository: string, random: Random): Promise<void> {
    const { bytes } = push
    for (let from = 0; from < bytes.length; from = push.acknowledged) {
      const manner = random.pick<Manner>(['chunks', 'chunks', 'stream', 'put'])
      const { status, text } = await push.send(from, manner)
      if (manner === 'put' && status === 201) return this.#promise(repository, bytes)
      if (status !== 202) throw new Error(`a part of ${repository} was answered: ${text}`)
    }
    const { status, text } = await push.send(bytes.length, 'put')
    if (status !== 201) throw new Error(`the end in ${repository} was answered: ${text}`)
    this.#promise(repository, bytes)
  }

  #promise(repository: string, bytes: Bytes): void {
    this.counts.blobs += 1
    this.#promised.push({ repository, bytes })
  }

  /** Images of one small blob, each under one of a few tags. */
  async #tagging(repository: string): Promise<null> {
    try {
      for (;;) await this.#tag(repository, `t${this.#random.below(4)}`)
    } catch (error) {
      if (!this.#isDown) throw error
      return null
    }
  }

  async #tag(repository: string, tag: string): Promise<void> {
    const layer: Bytes = Buffer.from(`layer ${this.#random.below(2 ** 31)}`)
    const part = { digest: await this.#client.push(repository, layer), size: layer.length }
    const manifest = imageManifest(part, [part])
    const digest = digestOf(manifest.bytes)
    this.#tags.set(tag, new Set([...(this.#tags.get(tag) ?? ['none']), digest]))
    await expectStatus(
      await this.#client.putManifest(repository, { ...manifest, reference: tag }),
      201,
    )
    this.counts.manifests += 1
    this.#tags.set(tag, new Set([digest]))
    this.#manifests.push({ repository, bytes: manifest.bytes })
    this.#promised.push({ repository, bytes: layer })
  }

  /** The session tells what it has, and that is gone on with. */
  async #goOn(push: CutPush, repository: string): Promise<void> {
    const from = await push.offset()
    if (from === null) {
      if (push.most < push.bytes.length || !(await push.isRight(repository)))
        throw new Error(`after ${push.acknowledged} acknowledged bytes the session is gone`)
      this.counts.ended += 1
      return
    }
    this.counts.taken += 1
    const { status, text } = await push.send(from, 'put')
    if (status !== 201) throw new Error(`the rest from ${from} on was answered: ${text}`)
    if (!(await push.isRight(repository))) throw new Error('a blob has other bytes')
  }

  async #check(): Promise<void> {
    for (const { repository, bytes } of this.#promised.splice(0)) {
      const answer = await this.#client.blob('GET', repository, digestOf(bytes))
      if (!(await bytesOf(answer)).equals(bytes)) throw new Error(`a blob of ${repository} is lost`)
    }
    for (const { repository, bytes } of this.#manifests) {
      const answer = await this.#client.manifest('GET', repository, digestOf(bytes))
      if (!(await bytesOf(answer)).equals(bytes)) throw new Error('a manifest is lost')
    }
    for (const [tag, possible] of this.#tags) await this.#checkTag(tag, possible)
  }

  async #checkTag(tag: string, possible: ReadonlySet<string>): Promise<void> {
    const answer = await this.#client.manifest('HEAD', 'kill/tags', tag)
    const digest = answer.headers.get('docker-content-digest') ?? 'none'
    if (!possible.has(digest)) throw new Error(`${tag} is ${digest}, not ${[...possible].join()}`)
    this.#tags.set(tag, new Set([digest]))
  }
}
