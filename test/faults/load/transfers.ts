import { createHash, randomUUID } from 'node:crypto'
import { digestOf } from '../../../src/image/digest.ts'
import { imageSchema } from '../../../src/image/status.ts'
import { disk, mebibyte } from '../../support/disks.ts'
import type { Neighbour } from '../../support/http-neighbour.ts'
import { contentOf, imageManifest, type Part } from '../../support/push-content.ts'
import type { Random } from '../../support/random.ts'
import { rangeOf } from '../../support/registry-client.ts'
import type { Source } from '../../support/rest.ts'
import type { Line } from './line.ts'
import { pull, type Held, type Known } from './shelf.ts'
import { about, type Client, type Stage } from './stage.ts'

/** Bytes of a pushed layer are less than so many MiB. */
const largestPush = 16
const largestUpload = 4
/** Milliseconds about which somebody rests between two transfers. */
const rest = 500
/** One of so many pushes is given up in its middle. */
const givenUp = 20

/** Of each answer to an import, in bytes a second: as many as there are go on at the same time. */
const sourceRate = 256 * 1024

type Served = { readonly path: string; readonly bytes: Buffer }

const quarters = [1, 2, 3, 5, 8, 12, 16].map((count) => disk((count * mebibyte) / 4, 100 + count))
const [first = disk(mebibyte), ...others] = quarters
const sources: readonly [Served, ...Served[]] = [
  { path: '/disk-0', bytes: first },
  ...others.map((bytes, at) => ({ path: `/disk-${at + 1}`, bytes })),
]

/** What is imported, and what is only looked at. */
export function serveSources(neighbour: Neighbour): void {
  for (const { path, bytes } of sources) {
    neighbour.serve(path, { bytes, rate: sourceRate, ranges: 'honest', etag: `"${path}"` })
  }
  neighbour.serve('/probed', { bytes: first, ranges: 'honest', etag: '"probed"' })
}

const json = { 'content-type': 'application/json' }
const octets = { 'content-type': 'application/octet-stream' }

/** Pushes images in chunks, each in the place of the one before. */
export const pusher: Client = async (line, random, stage, index) => {
  await about(rest, random)
  await replacing(line, random, stage, () => push(line, random, stage, `load/p${index}`))
}

/** Has images fetched, each in the place of the one before. */
export const importer: Client = async (line, random, stage, index) => {
  await about(rest, random)
  await replacing(line, random, stage, async (name) => {
    const { path, bytes } = random.pick(sources)
    // Some URLs are known already, and asked whether they have changed.
    const url = `${stage.neighbour.url(path)}?${random.below(50)}`
    const made = await create(line, stage, `i${index}-${name}`, { type: 'HTTP', http: { url } })
    await untilReady(line, made.of, stage)
    return hold(made, bytes, stage)
  })
}

/** Sends images, each in the place of the one before. */
export const uploader: Client = async (line, random, stage, index) => {
  await replacing(line, random, stage, async (name) => {
    const bytes = disk(512 * (256 + random.below(largestUpload * 2048)), random.below(4))
    const made = await create(line, stage, `u${index}-${name}`, { type: 'Upload' })
    await send(line, random, made.door, bytes)
    return hold(made, bytes, stage)
  })
}

/** @param make makes the next one, under a name that was never used; null when it was given up */
async function replacing(
  line: Line,
  random: Random,
  stage: Stage,
  make: (name: string) => Promise<Held | null>,
): Promise<void> {
  let before: Held | null = null
  while (!stage.over.aborted) {
    const held = await make(randomUUID().slice(0, 13))
    if (held && before) await remove(line, before, stage)
    before = held ?? before
    await about(rest, random)
  }
}

/** Deletes what is held. */
export async function remove(line: Line, held: Held, stage: Omit<Stage, 'over'>): Promise<void> {
  held.of.going = true
  await line.ask(held.root, [202], { method: 'DELETE' })
  stage.held.drop(held)
  stage.images.drop(held.of)
  stage.note('deletions')
}

async function push(line: Line, random: Random, stage: Stage, repository: string) {
  const bytes = contentOf(random, 1 + random.below(largestPush * mebibyte))
  const digest = digestOf(bytes)
  const session = await sendChunks(line, random, stage, repository, bytes)
  if (session === null) return null
  const finish = `${session}${session.includes('?') ? '&' : '?'}digest=${digest}`
  await line.ask(finish, [201], { method: 'PUT' })
  const manifest = await tag(line, repository, { digest, size: bytes.length })
  stage.note('pushes')
  return stage.held.put({
    of: { name: repository, going: false },
    repository,
    path: `/v2/${repository}/blobs/${digest}`,
    sha256: digest.slice('sha256:'.length),
    size: bytes.length,
    root: `/v2/${repository}/manifests/${manifest}`,
  })
}

/** @returns the manifest's digest */
async function tag(line: Line, repository: string, layer: Part): Promise<string> {
  // All repositories share it: it is freed and pushed at the same time.
  const config = Buffer.from('{}')
  const digest = digestOf(config)
  const body = { headers: octets, body: config }
  const path = `/v2/${repository}/blobs/uploads/?digest=${digest}`
  await line.ask(path, [201], { method: 'POST', ...body })
  const { bytes, mediaType } = imageManifest({ digest, size: config.length }, [layer])
  const headers = { 'content-type': mediaType }
  const at = `/v2/${repository}/manifests/latest`
  await line.ask(at, [201], { method: 'PUT', headers, body: Buffer.from(bytes) })
  return digestOf(bytes)
}

/** @returns where the session is that has all bytes; null when it was given up */
async function sendChunks(
  line: Line,
  random: Random,
  { base, note }: Stage,
  repository: string,
  bytes: Uint8Array,
): Promise<string | null> {
  const method = 'POST'
  const begun = await line.ask(`/v2/${repository}/blobs/uploads/`, [202], { method })
  let session = pathOf(begun.headers.location, base)
  for (let from = 0; from < bytes.length;) {
    const chunk = bytes.subarray(from, from + 256 * 1024 + random.below(4 * mebibyte))
    const headers = { ...octets, 'content-range': rangeOf(from, chunk.length) }
    const sent = await line.ask(session, [202], { method: 'PATCH', headers, body: chunk })
    session = pathOf(sent.headers.location, base)
    from += chunk.length
    if (random.below(givenUp * 4) > 0) continue
    await line.ask(session, [204], { method: 'DELETE' })
    note('pushes given up')
    return null
  }
  return session
}

/** Pulls whatever there is, in one piece or in parts. */
export const puller: Client = async (line, random, stage) => {
  while (!stage.over.aborted) {
    const held = stage.held.pick(random)
    if (held && (await pull(line, held, 1 + random.below(4)))) stage.note('pulls')
    await about(rest, random)
  }
}

type Made = { readonly of: Known; readonly door: string }

async function create(line: Line, stage: Stage, name: string, dataSource: Source): Promise<Made> {
  const body = JSON.stringify({ name, dataSource })
  const answer = await line.ask('/api/v1/images', [201], { method: 'POST', headers: json, body })
  const { status } = imageSchema.parse(JSON.parse(answer.body.toString()))
  const of = stage.images.put({ name, going: false })
  return { of, door: pathOf(status.imageUploadURLs?.external ?? '/', stage.base) }
}

function hold({ of }: Made, bytes: Buffer, stage: Stage): Held {
  stage.note('images')
  return stage.held.put({
    of,
    repository: `cvi/${of.name}`,
    path: `/api/v1/images/${of.name}/disk`,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    size: bytes.length,
    root: `/api/v1/images/${of.name}`,
  })
}

/** @throws Error when it fails, or is not there after three minutes */
async function untilReady(line: Line, { name }: Known, { note }: Stage): Promise<void> {
  const late = performance.now() + 180_000
  for (let etag = '""'; performance.now() < late;) {
    const headers = { 'if-none-match': etag }
    const answer = await line.ask(`/api/v1/images/${name}?wait=10s`, [200, 304], { headers })
    note('polls')
    if (answer.status === 304) continue
    etag = String(answer.headers.etag)
    const { status } = imageSchema.parse(JSON.parse(answer.body.toString()))
    if (status.phase === 'Ready') return
    if (status.phase === 'Failed') throw new Error(`${name} failed: ${JSON.stringify(status)}`)
  }
  throw new Error(`${name} is not Ready after three minutes`)
}

/** In one piece, or in two. */
async function send(line: Line, random: Random, door: string, bytes: Buffer): Promise<void> {
  const method = 'PUT'
  if (random.below(2) === 0) return void (await line.ask(door, [201], { method, body: bytes }))
  const cut = 1 + random.below(bytes.length - 1)
  for (const [from, to, status] of [[0, cut, 202] as const, [cut, bytes.length, 201] as const]) {
    const headers = { 'content-range': `bytes ${from}-${to - 1}/${bytes.length}` }
    await line.ask(door, [status], { method, headers, body: bytes.subarray(from, to) })
  }
}

function pathOf(location: unknown, base: string): string {
  const { pathname, search } = new URL(String(location), base)
  return pathname + search
}

/** Everything that nothing needs is removed, again and again. */
export const collector: Client = async (line, random, { over, note }) => {
  while (!over.aborted) {
    const question = { method: 'POST', headers: json, body: '{}' } as const
    const { status } = await line.ask('/api/v1/storage/gc', [202, 409], question)
    if (status === 202) note('collections')
    await about(5000, random)
  }
}
