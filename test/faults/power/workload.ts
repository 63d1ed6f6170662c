import { setTimeout as pause } from 'node:timers/promises'
import { digestOf } from '../../../src/image/digest.ts'
import { disk } from '../../support/disks.ts'
import type { Neighbour } from '../../support/http-neighbour.ts'
import { contentOf, imageManifest, type Part } from '../../support/push-content.ts'
import type { Random } from '../../support/random.ts'
import { expectStatus, RegistryClient, type Bytes } from '../../support/registry-client.ts'
import { get, send, uploadUrl } from '../../support/rest.ts'
import type { Service } from '../../support/service.ts'
import type { BlobStory, ImageStory, Ledger, ManifestStory, TagStory } from './ledger.ts'

export type Stage = {
  readonly service: Service
  readonly neighbour: Neighbour
  readonly ledger: Ledger
}

/** Contents that images share, and sizes in bytes. */
const contents = 4
const sector = 512
const largest = 1_200_000
/** Between two parts of an upload, in milliseconds. */
const rests = [0, 20, 500] as const
/** Of one that makes sure that what was told a second ago is kept. */
const long = 4000

const tus = { 'Tus-Resumable': '1.0.0' }

/** Clients at work: each has things of its own, and writes down what it asked for and what it was told. */
export class Workload {
  readonly #stage: Stage
  readonly #client: RegistryClient
  readonly #random: Random
  /** Nobody is there to answer, or is about to be. */
  #isOver = false
  #count = 0

  constructor(stage: Stage, random: Random) {
    this.#stage = stage
    this.#client = new RegistryClient(() => stage.service.base)
    this.#random = random
  }

  /** Everybody does a few things. @param until the power goes, or they are through */
  async run(until: Promise<unknown>): Promise<void> {
    this.#isOver = false
    const { rest } = this.#stage.service
    const lanes = [
      this.#lane(3, () => this.#upload()),
      this.#lane(2, () => this.#uploadInParts(() => this.#random.pick(rests))),
      this.#lane(1, () => this.#uploadInParts(() => long)),
      this.#lane(3, () => this.#import()),
      this.#lane(3, () => this.#push()),
      this.#lane(2, () => this.#push()),
      this.#lane(1, () => this.#maintain()),
    ]
    const done = Promise.all(lanes)
    const watched = this.#watch(async () => {
      for (const { name, status } of (await rest.list('?limit=1000')).items) {
        const story = this.#stage.ledger.images.find((one) => one.name === name)
        if (story && status.phase === 'Ready') this.#isReady(story, status.target?.digest)
      }
    })
    await Promise.race([until, done])
    this.#isOver = true
    await this.#stage.service.kill()
    await Promise.all([done, watched])
  }

  /** After a start: what is seen now was told, too. */
  async look(): Promise<void> {
    const { images, blobs, manifests, tags } = this.#stage.ledger
    for (const story of images) await this.#lookAtImage(story)
    for (const { repository, bytes, is } of blobs) {
      const answer = await this.#client.blob('HEAD', repository, digestOf(bytes))
      if (answer.status === 200) is.saw('blob')
    }
    for (const { repository, bytes, is } of manifests) {
      const answer = await this.#client.manifest('HEAD', repository, digestOf(bytes))
      is.saw(answer.status === 200 ? 'present' : 'absent')
    }
    for (const { repository, tag, is } of tags) {
      const answer = await this.#client.manifest('HEAD', repository, tag)
      is.saw(answer.headers.get('docker-content-digest') ?? 'none')
    }
  }

  async #lookAtImage(story: ImageStory): Promise<void> {
    const answer = await get(this.#stage.service.rest.url(`/${story.name}`))
    await answer.body?.cancel()
    if (answer.status === 404) return story.is.saw('absent')
    const { status } = await this.#stage.service.rest.image(story.name)
    if (status.phase === 'Ready') this.#isReady(story, status.target?.digest)
  }

  #isReady(story: ImageStory, digest: string | undefined): void {
    if (digest === undefined) throw new Error(`${story.name} is Ready without a digest`)
    story.is.saw('ready')
    story.digest ??= { is: digest, place: this.#stage.ledger.place() }
  }

  async #lane(times: number, work: () => Promise<void>): Promise<void> {
    await this.#unlessOver(async () => {
      for (let count = 0; count < times && !this.#isOver; count += 1) await work()
    })
  }

  async #watch(look: () => Promise<void>): Promise<void> {
    await this.#unlessOver(async () => {
      for (; !this.#isOver; await pause(10)) await look()
    })
  }

  async #unlessOver(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!this.#isOver) throw error
    }
  }

  #story(way: ImageStory['way']): ImageStory {
    const random = this.#random
    this.#count += 1
    const sectors = 40 + (random.below(contents) + 1) * Math.floor(largest / contents / sector)
    const seed = random.below(contents)
    return this.#stage.ledger.image(`i${this.#count}`, way, disk(sectors * sector, seed))
  }

  async #upload(): Promise<void> {
    const story = this.#story('upload')
    const url = await this.#create(story)
    const ready = story.is.begin('ready')
    await expectStatus(await send(url, story.bytes), 201)
    ready()
    await this.#mayBeDeleted(story)
  }

  async #create(story: ImageStory): Promise<string> {
    const created = story.is.begin('unfinished')
    const image = await this.#stage.service.rest.create(story.name, { type: 'Upload' })
    created()
    story.uploadPath = new URL(uploadUrl(image)).pathname
    return uploadUrl(image)
  }

  async #uploadInParts(rest: () => number): Promise<void> {
    const { ledger } = this.#stage
    const story = this.#story('upload')
    const { length } = story.bytes
    const url = await this.#create(story)
    const announced = { ...tus, 'Upload-Length': String(length) }
    await expectStatus(await fetch(url, { method: 'POST', headers: announced }), 201)
    for (let at = 0; at < length;) {
      const end = Math.min(length, at + Math.ceil(length / 3))
      const ready = end === length ? story.is.begin('ready') : null
      await sendPart(url, story.bytes, at, end)
      ready?.()
      ledger.tell(story.told, end)
      at = end
      if (at < length) await pause(rest())
    }
    await this.#mayBeDeleted(story)
  }

  async #import(): Promise<void> {
    const { neighbour, service } = this.#stage
    const story = this.#story('import')
    const rate = this.#random.pick([undefined, 1_000_000])
    const etag = `"${digestOf(story.bytes)}"`
    const bytes = Buffer.from(story.bytes)
    const play = { bytes, etag, ranges: 'honest' as const, ...(rate && { rate }) }
    const url = neighbour.serve(`/${story.name}`, play)
    const created = story.is.begin('unfinished')
    story.is.begin('ready')
    await service.rest.createFrom(story.name, url)
    created()
    const { status } = await service.rest.ready(story.name)
    this.#isReady(story, status.target?.digest)
    await this.#mayBeDeleted(story)
  }

  async #mayBeDeleted(story: ImageStory): Promise<void> {
    if (this.#random.below(3) > 0) return
    const deleted = story.is.begin('absent')
    await this.#stage.service.rest.delete(story.name)
    deleted()
  }

  /** Two images, one after the other under one tag; then the first of them goes, perhaps. */
  async #push(): Promise<void> {
    this.#count += 1
    const repository = `power/r${this.#count}`
    const tag = this.#stage.ledger.tag(repository, 'latest')
    const before = await this.#pushImage(repository, tag)
    await this.#pushImage(repository, tag)
    if (this.#random.below(2) === 0) return
    for (const blob of before.blobs) blob.is.begin('free')
    const gone = before.manifest.is.begin('absent')
    const digest = digestOf(before.manifest.bytes)
    await expectStatus(await this.#client.manifest('DELETE', repository, digest), 202)
    gone()
  }

  async #pushImage(
    repository: string,
    tag: TagStory,
  ): Promise<{ readonly manifest: ManifestStory; readonly blobs: readonly BlobStory[] }> {
    const blobs = [await this.#pushBlob(repository), await this.#pushBlob(repository)] as const
    const [config, layer] = blobs.map(({ bytes }): Part => ({
      digest: digestOf(bytes),
      size: bytes.length,
    }))
    if (!config || !layer) throw new Error('there are two blobs')
    const { bytes, mediaType } = imageManifest(config, [layer])
    const manifest = this.#stage.ledger.manifest(repository, bytes)
    const put = [manifest.is.begin('present'), tag.is.begin(digestOf(bytes))]
    const named = { bytes, mediaType, reference: tag.tag }
    await expectStatus(await this.#client.putManifest(repository, named), 201)
    for (const told of put) told()
    return { manifest, blobs }
  }

  async #pushBlob(repository: string): Promise<BlobStory> {
    const { ledger } = this.#stage
    const random = this.#random
    const bytes = contentOf(random, 2000 + random.below(300_000))
    const story = ledger.blob(repository, bytes)
    const begun = story.is.begin('session')
    const session = await this.#client.begin(repository)
    begun()
    story.session = session
    const chunks = random.below(3)
    for (let nth = 0; nth < chunks; nth += 1) {
      const [from, to] = [nth, nth + 1].map((part) =>
        Math.floor((bytes.length * part) / (chunks + 1)),
      )
      await expectStatus(
        await this.#client.append(session, bytes.subarray(from, to), from ?? 0),
        202,
      )
      ledger.tell(story.told, to ?? 0)
    }
    const rest = bytes.subarray(story.told.at(-1)?.offset ?? 0)
    const finished = story.is.begin('blob')
    await expectStatus(await this.#client.finish(session, digestOf(bytes), rest), 201)
    finished()
    return story
  }

  async #maintain(): Promise<void> {
    const kind = this.#random.pick(['gc', 'scrub'])
    const headers = { 'content-type': 'application/json' }
    await pause(this.#random.below(500))
    const answer = this.#client.ask('POST', `/api/v1/storage/${kind}`, { body: '{}', headers })
    await expectStatus(await answer, 202)
  }
}

/** One part as tus clients send it. */
export async function sendPart(url: string, bytes: Bytes, from: number, to: number): Promise<void> {
  const headers = {
    ...tus,
    'Upload-Offset': String(from),
    'Content-Type': 'application/offset+octet-stream',
  }
  await expectStatus(
    await fetch(url, { method: 'PATCH', headers, body: bytes.subarray(from, to) }),
    204,
  )
}
