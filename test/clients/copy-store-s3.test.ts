import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { digestOf } from '../../src/image/digest.ts'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { within } from '../support/deadline.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { get, send } from '../support/rest.ts'
import { needsS3, startS3, type S3 } from '../support/s3.ts'
import { bucketOn, openStoreOn } from '../support/s3-store.ts'
import { startService, type Service } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { contentsOf, copied, put, putImage, read } from '../support/store-pairs.ts'
import { temporaryFolder } from '../support/temporary.ts'

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

let s3: S3

beforeAll(async () => {
  if (needsS3()) s3 = await startS3()
})
afterAll(() => s3?.[Symbol.asyncDispose]())

function commandOf(from: string, to: string, data: string) {
  const args = [program, 'copy-store', '--from', from, '--to', to]
  const env = { PATH: process.env['PATH'], ...s3.variables(), SLIPWAY_DATA_DIR: data }
  return { args, env }
}

const summarySchema = z.object({ copied: z.number(), present: z.number(), unreadable: z.number() })

async function copy(from: string, to: string, data: string) {
  const { args, env } = commandOf(from, to, data)
  const { code, stdout, stderr } = await attempt(process.execPath, args, { env, limit: 100_000 })
  expect(code, stderr).toBe(0)
  return summarySchema.parse(JSON.parse(stdout))
}

async function upload({ rest }: Service, name: string, bytes: Buffer<ArrayBuffer>) {
  expect((await send(await rest.createUpload(name), bytes)).status).toBe(201)
}

async function digestRead({ rest }: Service, name: string): Promise<string> {
  const { body } = await get(rest.url(`/${name}/disk`))
  const hash = createHash('sha256')
  for await (const chunk of body ?? []) hash.update(chunk)
  return `sha256:${hash.digest('hex')}`
}

describe.skipIf(!needsS3())('slipway copy-store with a real S3 server', () => {
  test('moves a served folder to a bucket, and from there to another one and back to a folder', async () => {
    await using service = await startService()
    const images = { one: disk(40 * mebibyte), two: disk(mebibyte, 1) }
    await upload(service, 'one', images.one)
    const folder = `filesystem:${service.folder}`
    const bucket = `s3://${s3.bucket}/moved`
    expect(await copy(folder, bucket, service.folder)).toMatchObject({ copied: 3, present: 0 })
    await upload(service, 'two', images.two)
    await service.stop()
    expect(await copy(folder, bucket, service.folder)).toMatchObject({ copied: 3, present: 3 })

    const variables = { ...s3.variables('moved'), SLIPWAY_DATA_DIR: service.folder }
    await using onBucket = await startService(variables)
    for (const [name, bytes] of Object.entries(images)) {
      expect(await digestRead(onBucket, name)).toBe(digestOf(bytes))
    }
    await upload(onBucket, 'three', disk(2 * mebibyte, 2))
    await onBucket.rest.delete('one')

    await s3.createBucket('other')
    await using elsewhere = await temporaryFolder()
    const back = `filesystem:${elsewhere.path}`
    expect(await copy(bucket, 's3://other', service.folder)).toMatchObject({ copied: 6 })
    expect(await copy('s3://other', back, service.folder)).toMatchObject({ copied: 6 })
    await onBucket.stop()
    const there = { endpoint: s3.endpoint, bucket: s3.bucket }
    await using source = await openStoreOn(there, join(elsewhere.path, 'moved'))
    expect(await contentsOf(await FilesystemStore.beside(elsewhere.path))).toEqual(
      await contentsOf(source),
    )
  })

  test('goes on after kill -9 at its beginning and in the middle of a big blob', async () => {
    await using folder = await temporaryFolder()
    const from = await FilesystemStore.open(join(folder.path, 'from'))
    const big = await put(from, disk(192 * mebibyte))
    for (const tag of ['one', 'two', 'three']) await putImage(from, tag)
    const to = `s3://${s3.bucket}/killed`
    const { args, env } = commandOf(`filesystem:${folder.path}/from`, to, folder.path)
    for (const begun of ['repositories/_store/', 'staging/copy-']) {
      const child = spawn(process.execPath, args, { env, stdio: 'ignore' })
      const ended = once(child, 'close')
      const parts = { endpoint: s3.endpoint, bucket: s3.bucket }
      await untilThere(parts, 'killed', begun)
      child.kill('SIGKILL')
      await within(10_000, 'the end', ended)
    }
    expect(await copy(`filesystem:${folder.path}/from`, to, folder.path)).toMatchObject({
      unreadable: 0,
    })
    const there = { endpoint: s3.endpoint, bucket: s3.bucket }
    await using target = await openStoreOn(there, join(folder.path, 'killed'))
    expect(await contentsOf(target)).toEqual(await contentsOf(from))
    expect(digestOf(await read(target, big))).toBe(big)
    expect(await target.staged()).toEqual([])
  })

  test('finds what is damaged in a bucket, on either side', async () => {
    await using folder = await temporaryFolder()
    const there = { endpoint: s3.endpoint, bucket: s3.bucket }
    await using from = await openStoreOn(there, join(folder.path, 'damaged'))
    const to = await FilesystemStore.open(join(folder.path, 'to'))
    const { layer } = await putImage(from, 'bad')
    await putImage(from, 'good')
    const [algorithm = '', hex = ''] = layer.split(':')
    await truncate(join(s3.folder, 'damaged', 'blobs', algorithm, hex), 10)
    expect(await copied(from, to, { place: 'a' })).toMatchObject({ copied: 5, unreadable: 1 })
    const sound = await FilesystemStore.open(join(folder.path, 'sound'))
    await putImage(sound, 'one')
    await using target = await openStoreOn(there, join(folder.path, 'target'))
    await copied(sound, target, { place: 'b' })
    for await (const { digest } of target.list()) {
      const [, name = ''] = digest.split(':')
      await truncate(join(s3.folder, 'target', 'blobs', 'sha256', name), 5)
    }
    await copied(sound, target, { place: 'b' })
    expect(await contentsOf(target)).toEqual(await contentsOf(sound))
  })
})

/** An object whose key begins so is below the prefix. */
async function untilThere(
  place: { readonly endpoint: string; readonly bucket: string },
  prefix: string,
  begun: string,
): Promise<void> {
  using bucket = bucketOn(place, prefix)
  const late = AbortSignal.timeout(20_000)
  for (;;) {
    late.throwIfAborted()
    for await (const { key } of bucket.list(begun)) if (key !== '') return
  }
}
