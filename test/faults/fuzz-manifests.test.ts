import { expect } from 'vitest'
import { z } from 'zod'
import type { Digest } from '../../src/image/digest.ts'
import { expected, Registry, type Reply } from '../support/conformance-registry.ts'
import { manifestAt, type Candidate, type Ground } from '../support/fuzz/manifests.ts'
import { expectNothing } from '../support/leftovers.ts'
import { loseCatalog, rebuild } from '../support/lost-catalog.ts'
import { imageManifest } from '../support/push-content.ts'
import { inParallel } from '../support/fuzz/in-parallel.ts'
import { collectGarbage } from '../support/fuzz/collect.ts'
import { startService } from '../support/service.ts'
import { tryOut } from './trial.ts'

/** Of one round, which has a repository of its own. */
const manifests = 500
/** At the same time. */
const senders = 8
/** One answer is waited for so long, in milliseconds: other trials keep the disk busy. */
const patience = 120_000
/** The catalog is made again in one of so many rounds. */
const rebuildEvery = 10

tryOut('fuzz-manifests', async (trial) => {
  await using service = await startService()
  let registry = new Registry(service.base, {}, patience)
  for (const { index, random } of trial.rounds()) {
    const repository = `fuzz/r${index}`
    const ground = await prepare(registry, repository)
    const candidates = Array.from({ length: manifests }, (_, at) => manifestAt(at, ground, random))
    const kept = new Kept(repository, ground)
    await inParallel(senders, candidates, async (each) => {
      if (await isTaken(registry, repository, each)) kept.add(each)
    })
    trial.tried += candidates.length
    trial.note('taken', kept.all.length)
    await kept.expectIn(registry)
    if (index % rebuildEvery === 1) {
      await registry.close()
      await service.stop()
      await loseCatalog(service)
      await rebuild(service.folder)
      await service.start()
      registry = new Registry(service.base, {}, patience)
      await kept.expectIn(registry)
      trial.note('catalogs made again')
    }
    await kept.removeFrom(registry)
  }
  await collectGarbage(service.base)
  await registry.close()
  await service.stop()
  await expectNothing(service.folder)
})

async function prepare(registry: Registry, repository: string): Promise<Ground> {
  const part = async (text: string) => {
    const bytes = Buffer.from(text)
    return { digest: await registry.push(repository, bytes), size: bytes.length }
  }
  const config = await part('{}')
  const layers = [await part('one layer'), await part(`a layer of ${repository}`)] as const
  const { bytes } = imageManifest(config, layers)
  const digest = await registry.putWhole(repository, bytes)
  return { config, layers, child: { digest, size: bytes.length } }
}

const refusalSchema = z.object({
  errors: z.tuple([z.object({ code: z.string(), message: z.string() })]),
})
/** OCI distribution-spec, "Error Codes". */
const codes = new Set([
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'NAME_INVALID',
  'SIZE_INVALID',
  'UNSUPPORTED',
])

/** @throws Error when it is answered otherwise than it has to be */
async function isTaken(registry: Registry, repository: string, candidate: Candidate) {
  const { reference, bytes, mediaType, must, digest, what } = candidate
  const reply = await registry.put(repository, reference, bytes, mediaType)
  const told = `${what.join(', ')}: ${reply.status} ${reply.bytes.toString().slice(0, 300)}`
  if (reply.status === 201) {
    expect(must, told).not.toBe('refused')
    expect(reply.header('docker-content-digest'), told).toBe(digest)
    expect(reply.location, told).toBe(`/v2/${repository}/manifests/${digest}`)
    return true
  }
  expect(must, told).not.toBe('taken')
  expectRefusal(reply, told)
  return false
}

function expectRefusal(reply: Reply, told: string): void {
  expect([400, 404, 413], told).toContain(reply.status)
  const { code, message } = refusalSchema.parse(reply.json()).errors[0]
  expect(codes, told).toContain(code)
  expect(message.length, told).toBeLessThan(1000)
}

const subjectSchema = z.object({ subject: z.object({ digest: z.string() }).optional() })
const annotatedSchema = z.object({ annotations: z.record(z.string(), z.string()).optional() })
const listSchema = z.object({
  schemaVersion: z.literal(2),
  manifests: z.array(
    z.object({
      digest: z.string(),
      size: z.int(),
      mediaType: z.string(),
      annotations: z.record(z.string(), z.string()).optional(),
    }),
  ),
})

/** What a repository has to hold. */
class Kept {
  readonly all: Candidate[] = []
  readonly #repository: string
  readonly #ground: Ground

  constructor(repository: string, ground: Ground) {
    this.#repository = repository
    this.#ground = ground
  }

  add(candidate: Candidate): void {
    this.all.push(candidate)
  }

  async expectIn(registry: Registry): Promise<void> {
    await inParallel(senders, this.all, (each) => this.#expectBytes(registry, each))
    const subjects = new Map<string, Candidate[]>()
    for (const each of this.all) {
      const subject = subjectSchema.parse(JSON.parse(text(each.bytes))).subject?.digest
      if (subject !== undefined) subjects.set(subject, [...(subjects.get(subject) ?? []), each])
    }
    for (const [subject, of] of subjects) await this.#expectReferrers(registry, subject, of)
    const tags = this.all.flatMap((each) => each.tags).toSorted()
    const pages = await registry.pages(`/v2/${this.#repository}/tags/list`)
    expect(pages.flat()).toEqual(tags)
  }

  async #expectBytes(registry: Registry, { digest, bytes, mediaType, tags }: Candidate) {
    const path = `/v2/${this.#repository}/manifests`
    for (const reference of [digest, ...tags.slice(0, 1)]) {
      const reply = expected(await registry.get(`${path}/${reference}`), 200)
      expect(reply.bytes.equals(bytes), reference).toBe(true)
      expect(reply.header('docker-content-digest')).toBe(digest)
      expect(reply.header('content-type')).toBe(mediaType.split(';')[0]?.trim().toLowerCase())
    }
  }

  async #expectReferrers(registry: Registry, subject: string, of: readonly Candidate[]) {
    const listed: z.output<typeof listSchema>['manifests'] = []
    let next: string | null = `/v2/${this.#repository}/referrers/${subject}`
    while (next !== null) {
      const reply: Reply = expected(await registry.get(next), 200)
      listed.push(...listSchema.parse(reply.json()).manifests)
      next = reply.next
    }
    const digests = [...new Set(of.map(({ digest }) => digest))]
    expect(listed.map(({ digest }) => digest).toSorted()).toEqual(digests.toSorted())
    for (const { digest, bytes } of of) {
      const { size, annotations } = listed.find((each) => each.digest === digest) ?? {}
      expect(size).toBe(bytes.length)
      expect(annotations).toEqual(annotatedSchema.parse(JSON.parse(text(bytes))).annotations)
    }
  }

  async removeFrom(registry: Registry): Promise<void> {
    const path = `/v2/${this.#repository}`
    const digests = new Set<Digest>(this.all.map(({ digest }) => digest))
    await inParallel(senders, [...digests, this.#ground.child.digest], async (digest) => {
      expected(await registry.delete(`${path}/manifests/${digest}`), 202)
    })
    const { config, layers } = this.#ground
    for (const { digest } of [config, ...layers]) {
      expected(await registry.delete(`${path}/blobs/${digest}`), 202)
    }
    expect((await registry.get(`${path}/tags/list`)).status).toBe(404)
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}
