import { digestOf } from '../../src/image/digest.ts'
import { Known, type Kept } from './model-known.ts'
import { goOnPushing, Pushing, pushSomehow, type Blob } from './model-pool.ts'
import { imageManifest, indexManifest } from './push-content.ts'
import type { Random } from './random.ts'
import { bytesOf, codeOf, expectStatus, type RegistryClient } from './registry-client.ts'

const tagNames = ['a', 'b', 'c', 'd', 'e'] as const
const artifactTypes = ['x/sbom', 'x/signature'] as const

/** What one client may know of a repository in which nobody else writes, held against what it is told. */
export class OwnRepository {
  readonly repository: string
  readonly #client: RegistryClient
  readonly #random: Random
  readonly #pool: readonly [Blob, ...Blob[]]
  readonly #others: readonly [string, ...string[]]
  readonly #known = new Known()
  /** Finds out what a change has come to whose answer has not come. */
  #look: (() => Promise<void>) | null = null
  #serial = 0

  constructor(
    repository: string,
    client: RegistryClient,
    random: Random,
    pool: readonly [Blob, ...Blob[]],
    others: readonly [string, ...string[]],
  ) {
    this.repository = repository
    this.#client = client
    this.#random = random
    this.#pool = pool
    this.#others = others
  }

  /** One operation, and what it must answer. */
  async step(): Promise<void> {
    const random = this.#random
    const operations = [
      () => this.#push(random.pick(this.#pool)),
      () => this.#mount(random.pick(this.#pool)),
      () => this.#putImage(),
      () => this.#putImage(),
      () => this.#putIndex(),
      () => this.#moveTag(),
      () => this.#deleteTag(random.pick(tagNames)),
      () => this.#deleteManifest(this.#anyManifest()),
      () => this.#deleteManifest(this.#anyManifest()),
      () => this.#deleteBlob(random.pick(this.#pool)),
      () => this.#checkBlob(random.pick(this.#pool), 'HEAD'),
      () => this.#checkBlob(random.pick(this.#pool), 'GET'),
      () => this.#cancel(),
      () => this.#pushWrong(random.pick(this.#pool)),
      () => this.#checkManifest(this.#anyManifest()),
      () => this.#checkReferrers(this.#anySubject()),
    ] as const
    await operations[random.below(operations.length)]?.()
  }

  /** After a cut: what the last request has come to, which is certain from then on. */
  async settle(): Promise<void> {
    await this.#look?.()
    this.#look = null
  }

  /** What the store has to hold of this repository; blobs that have leases may be more. */
  expected() {
    const { manifests, tags } = this.#known
    return {
      digests: this.#known.digests(),
      records: [
        ...[...manifests.keys()].map((digest) => `${this.repository}/_manifests/${digest}`),
        ...[...tags.keys()].map((tag) => `${this.repository}/_tags/${tag}`),
      ],
    }
  }

  /** Everything that must be there is, byte for byte, and nothing else is listed. */
  async check(): Promise<void> {
    for (const digest of this.#known.manifests.keys()) await this.#checkManifest(digest)
    for (const blob of this.#pool) await this.#checkBlob(blob, 'GET')
    const subjects = [...this.#known.manifests.values()].map(({ subject }) => subject)
    for (const subject of new Set(subjects)) if (subject) await this.#checkReferrers(subject)
    const told = (await this.#client.tags(this.repository)) ?? []
    same('the tags', told, [...this.#known.tags.keys()].toSorted())
    await this.#checkTags()
  }

  /** Deletes everything, what uses others first. */
  async empty(): Promise<void> {
    while (this.#known.manifests.size > 0) {
      for (const digest of this.#known.manifests.keys()) await this.#deleteManifest(digest)
    }
    for (const blob of this.#pool) await this.#deleteBlob(blob)
    await this.check()
  }

  async #push(blob: Blob): Promise<void> {
    const pushing = new Pushing()
    await this.#change(
      () => this.#goOn(blob, pushing),
      () => pushSomehow(this.#client, this.repository, blob, this.#random, pushing),
    )
    this.#known.lease(blob.digest)
  }

  async #goOn(blob: Blob, pushing: Pushing): Promise<void> {
    const isPushed = await goOnPushing(this.#client, this.repository, blob, pushing)
    if (isPushed) this.#known.lease(blob.digest)
    else this.#known.doubt(blob.digest, Infinity)
  }

  async #mount(blob: Blob): Promise<void> {
    const from = this.#random.below(2) ? null : this.#random.pick(this.#others)
    const answer = await this.#change(
      async () => this.#known.doubt(blob.digest, Infinity),
      () => this.#client.mount(this.repository, blob.digest, from),
    )
    await expectStatus(answer, 201, 202)
    if (answer.status === 201) return this.#known.lease(blob.digest)
    if (from === null && this.#known.mustHave(blob.digest))
      throw new Error('a blob was not mounted')
    const session = answer.headers.get('location') ?? ''
    await expectStatus(await this.#client.ask('DELETE', session), 204)
  }

  async #putImage(): Promise<void> {
    const random = this.#random
    const count = 1 + random.below(4)
    const blobs = Array.from({ length: count }, () => random.pick(this.#pool))
    for (const blob of blobs) await this.#bring(blob)
    const [config = random.pick(this.#pool), ...layers] = blobs.map(({ digest, size }) => ({
      digest,
      size,
    }))
    const artifactType = random.pick(artifactTypes)
    const subject = random.below(3) === 0 ? this.#anySubject() : null
    const made = imageManifest(config, layers, {
      artifactType,
      annotations: { serial: `${(this.#serial += 1)}` },
      ...(subject !== null && {
        subject: {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          digest: subject,
          size: 7,
        },
      }),
    })
    const needs = [...new Set(blobs.map(({ digest }) => digest))]
    await this.#put({ ...made, needs, subject, artifactType })
  }

  /** Makes sure that a blob is here until the next manifest: by knowing, by asking or by pushing it. */
  async #bring(blob: Blob): Promise<void> {
    if (this.#known.mustHave(blob.digest)) return
    const answer = await this.#client.blob('HEAD', this.repository, blob.digest)
    if (answer.status === 200 && !this.#known.mustNotHave(blob.digest)) return
    same('a blob that was deleted', answer.status, 404)
    await this.#push(blob)
  }

  async #putIndex(): Promise<void> {
    const images = [...this.#known.manifests].filter(([, { mediaType }]) =>
      mediaType.includes('image.manifest'),
    )
    const some = images.filter(() => this.#random.below(3) === 0).slice(0, 3)
    const parts = some.map(([digest, { bytes }]) => ({ digest, size: bytes.length }))
    const annotations = { serial: `${(this.#serial += 1)}` }
    const needs = parts.map(({ digest }) => digest)
    await this.#put({
      ...indexManifest(parts, { annotations }),
      needs,
      subject: null,
      artifactType: '',
    })
  }

  async #put(kept: Kept): Promise<void> {
    const random = this.#random
    const digest = digestOf(kept.bytes)
    const tags = tagNames.filter(() => random.below(4) === 0)
    const [first] = tags
    const byTag = tags.length === 1 && first !== undefined && random.below(2) === 0
    const reference = byTag ? first : `${digest}?${tags.map((tag) => `tag=${tag}`).join('&')}`
    const answer = await this.#change(
      () => this.#lookForManifest(digest, kept, tags),
      () => this.#client.putManifest(this.repository, { ...kept, reference }),
    )
    await expectStatus(answer, 201)
    this.#known.put(digest, kept, tags)
  }

  /** It has come with all its tags, or with none of them. */
  async #lookForManifest(digest: string, kept: Kept, tags: readonly string[]): Promise<void> {
    const { status } = await this.#client.manifest('HEAD', this.repository, digest)
    const before = this.#known.manifests.has(digest)
    if (status === 404 && !before) return
    same(`the manifest ${digest}`, status, 200)
    const moved = tags.filter((tag) => this.#known.tags.get(tag) !== digest)
    const targets = await Promise.all(moved.map((tag) => this.#targetOf(tag)))
    if (!before || targets.includes(digest)) this.#known.put(digest, kept, tags)
    await this.#checkTags()
  }

  async #targetOf(tag: string): Promise<string | null> {
    const answer = await this.#client.manifest('HEAD', this.repository, tag)
    return answer.headers.get('docker-content-digest')
  }

  async #checkTags(): Promise<void> {
    for (const tag of tagNames) {
      same(`the tag ${tag}`, await this.#targetOf(tag), this.#known.tags.get(tag) ?? null)
    }
  }

  async #moveTag(): Promise<void> {
    const kept = this.#known.manifests.get(this.#anyManifest())
    if (kept) await this.#put(kept)
  }

  async #deleteTag(tag: string): Promise<void> {
    const answer = await this.#change(
      async () => {
        if ((await this.#targetOf(tag)) === null) this.#known.tags.delete(tag)
      },
      () => this.#client.manifest('DELETE', this.repository, tag),
    )
    await expectStatus(answer, this.#known.tags.delete(tag) ? 202 : 404)
  }

  async #deleteManifest(digest: string): Promise<void> {
    const answer = await this.#change(
      async () => {
        const { status } = await this.#client.manifest('HEAD', this.repository, digest)
        if (status === 404 && !this.#known.isNeeded(digest)) this.#known.remove(digest)
      },
      () => this.#client.manifest('DELETE', this.repository, digest),
    )
    const status = this.#known.manifests.has(digest)
      ? this.#known.isNeeded(digest)
        ? 405
        : 202
      : 404
    await expectStatus(answer, status)
    if (status !== 202) return
    this.#known.remove(digest)
  }

  async #deleteBlob({ digest }: Blob): Promise<void> {
    const answer = await this.#change(
      async () => this.#known.doubt(digest, 0),
      () => this.#client.blob('DELETE', this.repository, digest),
    )
    if (this.#known.isNeeded(digest)) {
      await expectStatus(answer, 405)
      return
    }
    const possible = this.#known.mustNotHave(digest) ? [404] : [202, 404]
    await expectStatus(answer, ...(this.#known.mustHave(digest) ? [202] : possible))
    this.#known.removeBlob(digest)
  }

  /** @param look what is to be found out when the answer does not come */
  async #change<Value>(look: () => Promise<void>, request: () => Promise<Value>): Promise<Value> {
    this.#look = look
    const answer = await request()
    this.#look = null
    return answer
  }

  async #cancel(): Promise<void> {
    const session = await this.#client.begin(this.repository)
    const { bytes } = this.#random.pick(this.#pool)
    await expectStatus(await this.#client.append(session, bytes, 0), 202)
    await expectStatus(await this.#client.ask('DELETE', session), 204)
    same('a cancelled session', await this.#client.last(session), null)
  }

  async #pushWrong({ bytes }: Blob): Promise<void> {
    const session = await this.#client.begin(this.repository)
    await expectStatus(await this.#client.append(session, bytes, bytes.length + 1), 416)
    const answer = await this.#client.finish(session, digestOf(Buffer.from('other')), bytes)
    same('the code', await codeOf(answer), 'DIGEST_INVALID')
    same('a session that ended wrongly', await this.#client.last(session), null)
  }

  async #checkBlob({ digest, bytes }: Blob, method: 'HEAD' | 'GET'): Promise<void> {
    const answer = await this.#client.blob(method, this.repository, digest)
    const body = await bytesOf(answer)
    if (this.#known.mustHave(digest)) same(`${digest} in ${this.repository}`, answer.status, 200)
    else if (this.#known.mustNotHave(digest)) same('a blob that was deleted', answer.status, 404)
    if (answer.status === 404) return
    same(`${method} of ${digest}`, answer.status, 200)
    if (method === 'GET' && !body.equals(bytes)) throw new Error(`${digest} has other bytes`)
  }

  async #checkManifest(digest: string): Promise<void> {
    const answer = await this.#client.manifest('GET', this.repository, digest)
    const body = await bytesOf(answer)
    const kept = this.#known.manifests.get(digest)
    same(`the manifest ${digest}`, answer.status, kept ? 200 : 404)
    if (!kept) return
    same('its type', answer.headers.get('content-type'), kept.mediaType)
    if (!body.equals(kept.bytes)) throw new Error(`the manifest ${digest} has other bytes`)
  }

  async #checkReferrers(subject: string): Promise<void> {
    const all = [...this.#known.manifests].filter(([, kept]) => kept.subject === subject)
    const digests = all.map(([digest]) => digest).toSorted()
    same('referrers', await this.#client.referrers(this.repository, subject), digests)
    same(
      'referrers in pages',
      await this.#client.referrers(this.repository, subject, '?n=2'),
      digests,
    )
    const type = this.#random.pick(artifactTypes)
    const some = all.filter(([, { artifactType }]) => artifactType === type)
    same(
      `referrers of type ${type}`,
      await this.#client.referrers(this.repository, subject, `?artifactType=${type}`),
      some.map(([digest]) => digest).toSorted(),
    )
  }

  /** One that is here, or was, or never was. */
  #anyManifest(): string {
    const digests = [...this.#known.manifests.keys()]
    return digests[this.#random.below(digests.length + 1)] ?? digestOf(Buffer.from('none'))
  }

  /** The same few again and again. */
  #anySubject(): string {
    const [first] = this.#known.manifests.keys()
    const missing = digestOf(Buffer.from(`subject ${this.#random.below(2)}`))
    return first !== undefined && this.#random.below(2) === 0 ? first : missing
  }
}

export function same(what: string, told: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(told), JSON.stringify(expected)]
  if (left !== right) throw new Error(`${what}: ${left} instead of ${right}`)
}
