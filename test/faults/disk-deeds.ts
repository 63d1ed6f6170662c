import { expect } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { runSchema } from '../../src/serve/api/storage-schema.ts'
import { expectWhole } from '../support/damage.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { contentOf, imageManifest } from '../support/push-content.ts'
import type { Random } from '../support/random.ts'
import { bytesOf, expectStatus, locationOf, type Bytes } from '../support/registry-client.ts'
import { readiness, send } from '../support/rest.ts'
import { isDone, type DiskStage } from './disk-stage.ts'

/** Does the work while the disk fails. */
export type Under = (work: () => Promise<unknown>) => Promise<void>

/**
 * What a client wants of the service. It is tried under the fault; when the disk is whole again it is done to its end, looked
 * at, and taken away.
 */
export type Deed = (stage: DiskStage, under: Under, random: Random) => Promise<void>

const tus = { 'tus-resumable': '1.0.0' }

async function create(stage: DiskStage, under: Under): Promise<void> {
  const { rest } = stage.service
  const name = stage.name()
  const body = { name, dataSource: { type: 'Upload' } }
  await under(async () => isDone(await rest.post(body), 200, 201))
  await expectStatus(await rest.post(body), 200, 201)
  expect((await rest.image(name)).status.phase).toBe('WaitForUserUpload')
  await rest.delete(name)
}

async function put(stage: DiskStage, under: Under, random: Random): Promise<void> {
  const { rest } = stage.service
  const [name, bytes] = [stage.name(), someDisk(random)]
  const door = await rest.createUpload(name)
  await under(async () => isDone(await send(door, bytes), 201))
  await finish(stage, name, door, bytes)
}

/** Parts of a file, one request each; after a failure the client looks how much is here, and goes on. */
async function parts(stage: DiskStage, under: Under, random: Random): Promise<void> {
  const { rest } = stage.service
  const [name, bytes] = [stage.name(), someDisk(random)]
  const door = await rest.createUpload(name)
  await under(async () => {
    const length = { ...tus, 'upload-length': String(bytes.length) }
    const begun = await stage.registry.ask('POST', door, { headers: length })
    if (!(await isDone(begun, 201))) return
    const middle = 4096 * (1 + random.below(255))
    if (!(await isDone(await patch(stage, door, bytes.subarray(0, middle), 0), 204))) return
    await isDone(await patch(stage, door, bytes.subarray(middle), middle), 204)
  })
  await finish(stage, name, door, bytes)
}

async function patch({ registry }: DiskStage, door: string, body: Bytes, from: number) {
  const type = 'application/offset+octet-stream'
  const headers = { ...tus, 'upload-offset': String(from), 'content-type': type }
  return await registry.ask('PATCH', door, { body, headers })
}

/** What came before the failure is kept or not; with the rest of the file it is the file. */
async function finish(stage: DiskStage, name: string, door: string, bytes: Bytes): Promise<void> {
  const { rest } = stage.service
  const { status } = await rest.image(name)
  if (status.phase !== 'Ready') await sendRest(stage, door, bytes)
  await rest.ready(name, 10_000)
  await takeAway(stage, name, bytes)
}

async function sendRest({ registry }: DiskStage, door: string, bytes: Bytes): Promise<void> {
  const head = await registry.ask('HEAD', door)
  await expectStatus(head, 200)
  const from = Number(head.headers.get('upload-offset'))
  const isAll = from === bytes.length
  const range = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }
  const rest = isAll ? { body: bytes } : { body: bytes.subarray(from), headers: range }
  // A commit that could not be synced may have happened all the same: then it is Ready.
  await expectStatus(await registry.ask('PUT', door, rest), 201, 410)
}

async function takeAway(stage: DiskStage, name: string, bytes: Buffer | Bytes): Promise<void> {
  await expectWhole(stage.service, name, Buffer.from(bytes))
  await stage.service.rest.delete(name)
}

async function fetched(stage: DiskStage, under: Under, random: Random): Promise<void> {
  const { rest } = stage.service
  const [name, bytes] = [stage.name(), someDisk(random)]
  const url = stage.neighbour.serve(`/${name}`, { bytes, ranges: 'honest', etag: `"${name}"` })
  const body = { name, dataSource: { type: 'HTTP', http: { url } } }
  await under(async () => {
    if (!(await isDone(await rest.post(body), 201))) return
    await rest.until(name, (image) => {
      return image.status.phase === 'Ready' || readiness(image).message !== ''
    })
  })
  await expectStatus(await rest.post(body), 200, 201)
  await rest.ready(name, 10_000)
  await takeAway(stage, name, bytes)
}

async function push(stage: DiskStage, under: Under, random: Random): Promise<void> {
  const repository = `team/${stage.name()}`
  const [layer, config] = [contentOf(random, mebibyte), Buffer.from(repository)]
  const all = async () => {
    for (const body of [layer, config]) if (!(await pushed(stage, repository, body))) return false
    return await tagged(stage, repository, 'latest', [config, layer])
  }
  await under(all)
  expect(await all()).toBe(true)
  await pulled(stage, repository, [config, layer])
}

async function tag(stage: DiskStage, under: Under, random: Random): Promise<void> {
  const repository = `team/${stage.name()}`
  const [layer, config] = [contentOf(random, 4096), Buffer.from(repository)]
  for (const body of [layer, config]) expect(await pushed(stage, repository, body)).toBe(true)
  expect(await tagged(stage, repository, 'latest', [config, layer])).toBe(true)
  await under(() => tagged(stage, repository, 'other', [config, layer]))
  await pulled(stage, repository, [config, layer])
}

/** In pieces, as clients do it. @returns whether it is done */
async function pushed(stage: DiskStage, repository: string, body: Bytes): Promise<boolean> {
  const { registry } = stage
  const begun = await registry.ask('POST', `/v2/${repository}/blobs/uploads/`)
  if (!(await isDone(begun, 202))) return false
  const session = locationOf(begun)
  const middle = body.length >> 1
  const first = await registry.append(session, body.subarray(0, middle), 0)
  const rest = body.subarray(middle)
  const isPushed =
    (await isDone(first, 202)) &&
    (await isDone(await registry.finish(session, digestOf(body), rest), 201))
  // Given up later: now the disk may fail that, too.
  if (!isPushed) stage.begun.push(session)
  return isPushed
}

async function tagged(
  { registry }: DiskStage,
  repository: string,
  reference: string,
  [config, layer]: readonly [Bytes, Bytes],
): Promise<boolean> {
  const part = (bytes: Bytes) => ({ digest: digestOf(bytes), size: bytes.length })
  const manifest = imageManifest(part(config), [part(layer)])
  return await isDone(await registry.putManifest(repository, { ...manifest, reference }), 201)
}

/** Whatever is listed pulls, byte for byte; then all of it is taken away. */
async function pulled(
  { registry, begun }: DiskStage,
  repository: string,
  blobs: readonly [Bytes, Bytes],
): Promise<void> {
  expect(await registry.tags(repository)).toContain('latest')
  for (const bytes of blobs) {
    const answer = await registry.blob('GET', repository, digestOf(bytes))
    expect((await bytesOf(answer)).equals(bytes)).toBe(true)
  }
  const digests = new Set<string>()
  for (const name of (await registry.tags(repository)) ?? []) {
    const answer = await registry.manifest('GET', repository, name)
    digests.add(digestOf(await bytesOf(answer)))
  }
  for (const session of begun.splice(0)) {
    await expectStatus(await registry.ask('DELETE', session), 204, 404)
  }
  for (const digest of digests) {
    await expectStatus(await registry.manifest('DELETE', repository, digest), 202)
  }
  expect(await registry.tags(repository)).toBe(null)
  for (const bytes of blobs) {
    await expectStatus(await registry.blob('DELETE', repository, digestOf(bytes)), 202, 404)
  }
}

async function remove(stage: DiskStage, under: Under, random: Random): Promise<void> {
  const { rest } = stage.service
  const [name, bytes] = [stage.name(), someDisk(random)]
  expect((await send(await rest.createUpload(name), bytes)).status).toBe(201)
  const path = `/api/v1/images/${name}`
  await under(async () => isDone(await stage.registry.ask('DELETE', path), 202))
  await expectStatus(await stage.registry.ask('DELETE', path), 202, 404)
}

const collect: Deed = (stage, under) => maintained(stage, under, 'gc')
const scrub: Deed = (stage, under) => maintained(stage, under, 'scrub')

/** A run that has begun comes to an end, and says why when it is not what was wanted. */
async function maintained(stage: DiskStage, under: Under, kind: 'gc' | 'scrub'): Promise<void> {
  await under(async () => {
    const begun = await stage.registry.ask('POST', `/api/v1/storage/${kind}`)
    if (await isDone(begun, 202)) await runEnded(stage, locationOf(begun))
  })
  const again = await stage.registry.ask('POST', `/api/v1/storage/${kind}`)
  await expectStatus(again, 202)
  expect((await runEnded(stage, locationOf(again))).state).toBe('done')
}

async function runEnded({ registry }: DiskStage, path: string) {
  const look = async () => runSchema.parse(await (await registry.ask('GET', path)).json())
  await expect.poll(async () => (await look()).state, { timeout: 20_000 }).not.toBe('running')
  return await look()
}

function someDisk(random: Random): Buffer<ArrayBuffer> {
  return disk(mebibyte + 512 * random.below(4096), 1 + random.below(1 << 20))
}

/** What everybody does with the service. */
export const deeds = {
  create,
  put,
  parts,
  fetched,
  push,
  tag,
  remove,
  collect,
  scrub,
} satisfies { readonly [name: string]: Deed }

export type DeedName = keyof typeof deeds
