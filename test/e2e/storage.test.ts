import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import {
  runSchema,
  runsSchema,
  sharesSchema,
  storageSchema,
} from '../../src/serve/api/storage-schema.ts'
import { basic, tokenOf, writeCallers } from '../support/callers.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { get, problemOf, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

type Run = z.output<typeof runSchema>
type Headers = Record<string, string>

const patience = 20_000

async function storage({ base }: Service, headers: Headers = {}) {
  return storageSchema.parse(await (await get(`${base}/api/v1/storage`, headers)).json())
}

async function begin({ base }: Service, kind: string, body?: object, headers: Headers = {}) {
  return await fetch(`${base}/api/v1/storage/${kind}`, {
    method: 'POST',
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    body: body ? JSON.stringify(body) : null,
    signal: AbortSignal.timeout(patience),
  })
}

/** The state of a run once it has ended. */
async function ended({ base }: Service, answer: Response, headers: Headers = {}): Promise<Run> {
  expect(answer.status).toBe(202)
  const late = AbortSignal.timeout(patience)
  for (;;) {
    late.throwIfAborted()
    const state = await get(base + (answer.headers.get('location') ?? ''), headers)
    const run = runSchema.parse(await state.json())
    if (run.state !== 'running') return run
  }
}

async function upload({ rest }: Service, name: string, bytes = disk(mebibyte)) {
  expect((await send(await rest.createUpload(name), bytes)).status).toBe(201)
}

describe('the storage', () => {
  let service: Service
  beforeAll(async () => {
    service = await startService()
  })
  afterAll(() => service[Symbol.asyncDispose]())

  test('tells how much there is, and the runs that look after it', async () => {
    const bytes = disk(mebibyte)
    for (const name of ['one', 'other']) await upload(service, name, bytes)
    await service.rest.createUpload('waits')
    const before = await storage(service)
    expect(before.counts).toEqual({
      images: { Ready: 2, WaitForUserUpload: 1 },
      // The same layer and configuration, and manifests of two moments.
      blobs: 4,
      manifests: 2,
      tags: 2,
      repositories: 2,
      uploads: 1,
      pushes: 0,
    })
    expect(Number(before.bytes.blobs)).toBeGreaterThan(mebibyte)
    expect(Number(before.bytes.logical)).toBeGreaterThan(Number(before.bytes.blobs) + mebibyte)
    expect(before.dedupRatio).toBeCloseTo(2, 1)
    expect(Number(before.bytes.free)).toBeGreaterThan(0)
    expect(before.gc).toBeUndefined()

    const dry = await ended(service, await begin(service, 'gc', { dryRun: true }))
    expect(dry).toMatchObject({ kind: 'gc', state: 'done', options: { dryRun: true } })
    const run = await ended(service, await begin(service, 'gc'))
    expect(run).toMatchObject({
      state: 'done',
      options: {},
      message: '',
      progress: { phase: 'done', total: 4, removed: 0, freedBytes: '0', failed: 0 },
    })
    const runs = await get(`${service.base}/api/v1/storage/runs`)
    expect(
      runsSchema
        .parse(await runs.json())
        .items.map(({ id }) => id)
        .toSorted(),
    ).toEqual([dry.id, run.id].toSorted())
    expect((await storage(service)).gc).toEqual(run)
  })

  test('tells what the images of the same bytes share', async () => {
    const answer = await get(`${service.base}/api/v1/storage/shares`)
    const { items, others } = sharesSchema.parse(await answer.json())
    expect(items.map(({ repositories, holders }) => [holders, ...repositories])).toEqual([
      [2, 'cvi/one', 'cvi/other'],
      [1, expect.any(String)],
      [1, expect.any(String)],
    ])
    const bytes = items.reduce((sum, item) => sum + Number(item.bytes), Number(others.bytes))
    expect(bytes).toBe(Number((await storage(service)).bytes.blobs))
    expect(Number(items[0]?.bytes)).toBeGreaterThan(mebibyte)
  })

  test('tells Prometheus what a deletion has freed', async () => {
    const metric = async (name: string) => {
      const text = await (await get(`${service.base}/metrics`)).text()
      return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1])
    }
    expect(await metric('slipway_gc_freed_blobs_total')).toBe(0)
    expect(await metric('slipway_image_phase{phase="Ready"}')).toBe(2)
    const size = await metric('slipway_blob_bytes')
    for (const name of ['one', 'other']) await service.rest.delete(name)
    expect(await metric('slipway_gc_freed_blobs_total')).toBe(4)
    expect(await metric('slipway_gc_freed_bytes_total')).toBe(size)
    expect(await metric('slipway_maintenance_runs_total{kind="gc",outcome="done"}')).toBe(2)
  })

  test('refuses what it does not understand', async () => {
    expect((await begin(service, 'gc', { dry: true })).status).toBe(422)
    expect((await begin(service, 'scrub', { rate: 'fast' })).status).toBe(422)
    const { base } = service
    expect((await get(`${base}/api/v1/storage/runs/none`)).status).toBe(404)
    const wrong = await get(`${base}/api/v1/storage/gc`)
    expect(wrong.status).toBe(405)
    expect((await problemOf(wrong)).code).toBe('METHOD_NOT_ALLOWED')
  })

  test('is looked at by viewers, and collected by admins', async () => {
    await using folder = await temporaryFolder()
    const paths = await writeCallers(folder.path)
    await using service = await startService({
      SLIPWAY_TOKENS_FILE: paths.tokens,
      SLIPWAY_HTPASSWD_FILE: paths.passwords,
      SLIPWAY_ANONYMOUS_PULL: 'true',
    })
    const by = (name: string) => ({ authorization: `Bearer ${tokenOf(name)}` })
    const node = { authorization: basic('node', 'of the cluster') }
    const { base } = service
    const statuses = async (path: string) =>
      await Promise.all(
        [{}, node, by('viewer'), by('admin')].map(
          async (headers) => (await get(base + path, headers)).status,
        ),
      )
    expect(await statuses('/api/v1/storage')).toEqual([401, 403, 200, 200])
    expect(await statuses('/api/v1/storage/runs')).toEqual([401, 403, 200, 200])
    expect(await statuses('/api/v1/storage/shares')).toEqual([401, 403, 200, 200])
    expect(await statuses('/metrics')).toEqual([401, 200, 200, 200])
    expect((await begin(service, 'gc')).status).toBe(401)
    for (const name of ['viewer', 'editor']) {
      expect((await begin(service, 'gc', {}, by(name))).status).toBe(403)
      expect((await begin(service, 'scrub', {}, by(name))).status).toBe(403)
    }
    const run = await ended(service, await begin(service, 'gc', {}, by('admin')), by('viewer'))
    expect(run.state).toBe('done')
  })
})
