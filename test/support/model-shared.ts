import { digestOf } from '../../src/image/digest.ts'
import { Cut, type CutClient } from './model-life.ts'
import { pushSomehow, type Blob } from './model-pool.ts'
import { same } from './model-own.ts'
import { imageManifest } from './push-content.ts'
import type { Random } from './random.ts'
import { bytesOf, codeOf, expectStatus, type Bytes } from './registry-client.ts'

type Image = {
  readonly digest: string
  readonly bytes: Bytes
  readonly mediaType: string
  readonly blobs: readonly Blob[]
}

/** A thing that several clients change: what it may be, who is changing it, and how often that was begun. */
type Uncertain = { readonly possible: Set<string>; writing: number; changes: number }

/** What is known of a request: nobody else was at the same thing, somebody was, or its answer did not come. */
type How = 'alone' | 'among others' | 'cut'

const tagNames = ['one', 'two', 'three', 'four'] as const
const none = 'none'
const mostTries = 50

/** A repository in which all clients write: what is in flight is uncertain until it is answered. */
export class SharedRepository {
  readonly repository: string
  readonly #client: CutClient
  readonly #images: readonly [Image, ...Image[]]
  readonly #pool: readonly Blob[]
  readonly #state = new Map<string, Uncertain>()

  constructor(repository: string, client: CutClient, pool: readonly [Blob, ...Blob[]]) {
    this.repository = repository
    this.#client = client
    this.#pool = pool
    const image = (index: number) => imageOf(pool, index)
    this.#images = [image(0), image(1), image(2), image(3), image(4), image(5)]
  }

  async step(random: Random): Promise<void> {
    const what = random.below(4)
    const image = random.pick(this.#images)
    if (what < 2) await this.#put(random.pick(tagNames), image, random)
    else if (what === 2) await this.#untag(random.pick(tagNames))
    else await this.#remove(image)
  }

  /** To be called while nobody writes: what is found is certain from then on. */
  async check(): Promise<void> {
    for (const tag of tagNames) {
      const answer = await this.#client.manifest('HEAD', this.repository, tag)
      this.#settle(tag, answer.headers.get('docker-content-digest') ?? none)
    }
    for (const image of this.#images) {
      const answer = await this.#client.manifest('GET', this.repository, image.digest)
      const body = await bytesOf(answer)
      this.#settle(image.digest, answer.status === 200 ? 'here' : none)
      if (answer.status !== 200) continue
      if (!body.equals(image.bytes)) throw new Error('a manifest has other bytes')
      for (const blob of image.blobs) await this.#checkBlob(blob)
    }
    const tags = tagNames.filter((tag) => !this.#of(tag).possible.has(none))
    same('the tags', (await this.#client.tags(this.repository)) ?? [], tags.toSorted())
  }

  /** What the store has to hold of this repository, as it was checked last; blobs that have leases may be more. */
  expected() {
    const here = this.#images.filter(({ digest }) => this.#of(digest).possible.has('here'))
    const tags = tagNames.filter((tag) => !this.#of(tag).possible.has(none))
    return {
      digests: here.flatMap((image) => [image.digest, ...image.blobs.map(({ digest }) => digest)]),
      records: [
        ...here.map(({ digest }) => `${this.repository}/_manifests/${digest}`),
        ...tags.map((tag) => `${this.repository}/_tags/${tag}`),
      ],
    }
  }

  async empty(): Promise<void> {
    for (const image of this.#images) await this.#remove(image)
    for (const { digest } of this.#pool) {
      await expectStatus(await this.#client.blob('DELETE', this.repository, digest), 202, 404)
    }
    await this.check()
  }

  /** Somebody else may delete an image and with it a blob that was counted on: then it is pushed again. */
  async #put(tag: string, image: Image, random: Random): Promise<void> {
    const effects = [
      [tag, image.digest],
      [image.digest, 'here'],
    ] as const
    for (const [key, value] of effects) this.#of(key).possible.add(value)
    const how = await this.#change([tag, image.digest], () =>
      this.#pushUntilTaken(tag, image, random),
    )
    if (how === 'cut') return
    for (const [key, value] of effects) {
      if (how === 'alone') this.#of(key).possible.clear()
      else this.#of(key).possible.add(none)
      this.#of(key).possible.add(value)
    }
  }

  async #pushUntilTaken(tag: string, image: Image, random: Random): Promise<void> {
    for (let tries = 0; tries < mostTries; tries += 1) {
      for (const blob of image.blobs) {
        await pushSomehow(this.#client, this.repository, blob, random)
      }
      const answer = await this.#client.putManifest(this.repository, { ...image, reference: tag })
      if (answer.status === 201) return
      same('the code', await codeOf(answer), 'MANIFEST_BLOB_UNKNOWN')
    }
    throw new Error(`${mostTries} times a blob was gone before its manifest came`)
  }

  async #untag(tag: string): Promise<void> {
    this.#of(tag).possible.add(none)
    const how = await this.#change([tag], () => this.#delete(tag))
    if (how === 'alone') this.#of(tag).possible.clear()
    this.#of(tag).possible.add(none)
  }

  /** With all its tags; whoever sets one of them to it meanwhile may lose it again. */
  async #remove({ digest }: Image): Promise<void> {
    this.#mayBeGone(digest)
    const how = await this.#change([digest, ...tagNames], () => this.#delete(digest))
    this.#mayBeGone(digest)
    if (how !== 'alone') return
    this.#of(digest).possible.delete('here')
    for (const tag of tagNames) this.#of(tag).possible.delete(digest)
  }

  #mayBeGone(digest: string): void {
    const pointing = tagNames.filter((tag) => this.#of(tag).possible.has(digest))
    for (const key of [digest, ...pointing]) this.#of(key).possible.add(none)
  }

  async #delete(reference: string): Promise<void> {
    const answer = await this.#client.manifest('DELETE', this.repository, reference)
    await expectStatus(answer, 202, 404)
  }

  /** Makes a request that changes these things, and tells whether nobody else has changed one of them meanwhile. */
  async #change(keys: readonly string[], request: () => Promise<void>): Promise<How> {
    const isFree = keys.every((key) => this.#of(key).writing === 0)
    for (const key of keys) {
      this.#of(key).writing += 1
      this.#of(key).changes += 1
    }
    const before = keys.map((key) => this.#of(key).changes)
    const isAnswered = await this.#isAnswered(request)
    for (const key of keys) this.#of(key).writing -= 1
    if (!isAnswered) return 'cut'
    const isAlone = keys.every((key, index) => this.#of(key).changes === before[index])
    return isFree && isAlone ? 'alone' : 'among others'
  }

  async #isAnswered(request: () => Promise<void>): Promise<boolean> {
    try {
      await request()
      return true
    } catch (error) {
      if (!(error instanceof Cut)) throw error
      await this.#client.life.up()
      return false
    }
  }

  #of(key: string): Uncertain {
    const found = this.#state.get(key) ?? { possible: new Set([none]), writing: 0, changes: 0 }
    this.#state.set(key, found)
    return found
  }

  #settle(key: string, found: string): void {
    const { possible } = this.#of(key)
    if (!possible.has(found)) {
      throw new Error(`${key} is ${found}, but may only be ${[...possible].join(' or ')}`)
    }
    possible.clear()
    possible.add(found)
  }

  async #checkBlob({ digest, bytes }: Blob): Promise<void> {
    const answer = await this.#client.blob('GET', this.repository, digest)
    if (!(await bytesOf(answer)).equals(bytes)) throw new Error(`${digest} is lost`)
  }
}

function imageOf(pool: readonly [Blob, ...Blob[]], index: number): Image {
  const blobs = [0, 1, 2].map((step) => pool[(2 * index + step) % pool.length] ?? pool[0])
  const [config = pool[0], ...layers] = blobs
  const part = ({ digest, size }: Blob) => ({ digest, size })
  const made = imageManifest(part(config), layers.map(part), { annotations: { index: `${index}` } })
  return { ...made, digest: digestOf(made.bytes), blobs }
}
