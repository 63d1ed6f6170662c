import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { digestOf, parseDigest, type Digest } from '../../src/image/digest.ts'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { within } from '../support/deadline.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { get, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { blobPath } from '../support/store-pairs.ts'
import { temporaryFolder } from '../support/temporary.ts'

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

async function copyStore(from: string, to: string, ...more: readonly string[]) {
  return await attempt(process.execPath, [...argsOf(from, to), ...more])
}

function argsOf(from: string, to: string): readonly string[] {
  return [program, 'copy-store', '--from', `filesystem:${from}`, '--to', `filesystem:${to}`]
}

const summarySchema = z.object({ copied: z.number(), present: z.number(), unreadable: z.number() })

async function upload({ rest }: Service, name: string, bytes: Uint8Array<ArrayBuffer>) {
  expect((await send(await rest.createUpload(name), bytes)).status).toBe(201)
  return await rest.ready(name)
}

async function bytesOf({ rest }: Service, name: string): Promise<Buffer> {
  return Buffer.from(await (await get(rest.url(`/${name}/disk`))).arrayBuffer())
}

describe('slipway copy-store', () => {
  test('moves a served storage: once while it is served, once when it is not', async () => {
    await using service = await startService()
    await using elsewhere = await temporaryFolder()
    const [one, two] = [disk(2 * mebibyte), disk(mebibyte, 1)]
    await upload(service, 'one', one)
    const first = await copyStore(service.folder, elsewhere.path)
    expect(first.code, first.stderr).toBe(0)
    expect(summarySchema.parse(JSON.parse(first.stdout))).toMatchObject({ copied: 3, present: 0 })
    await upload(service, 'two', two)
    const used = await copyStore(elsewhere.path, service.folder)
    expect(used).toMatchObject({ code: 2, stderr: expect.stringContaining('another Slipway') })
    await service.stop()
    const second = await copyStore(service.folder, elsewhere.path, '--verify')
    expect(summarySchema.parse(JSON.parse(second.stdout))).toMatchObject({ copied: 3, present: 3 })
    for (const file of ['catalog.sqlite', 'server.key']) {
      await copyFile(join(service.folder, file), join(elsewhere.path, file))
    }
    await using moved = await startService({ SLIPWAY_DATA_DIR: elsewhere.path })
    expect((await bytesOf(moved, 'one')).equals(one)).toBe(true)
    expect((await bytesOf(moved, 'two')).equals(two)).toBe(true)
    await moved.rest.delete('one')
    await moved.stop()
    const late = await copyStore(service.folder, elsewhere.path)
    expect(late).toMatchObject({ code: 2, stderr: expect.stringContaining('has been served') })
  })

  test('ends with 1 when a blob is damaged, and copies the others', async () => {
    await using service = await startService()
    await using elsewhere = await temporaryFolder()
    await upload(service, 'bad', disk(mebibyte))
    await upload(service, 'good', disk(mebibyte, 1))
    const layer = await layerOf(service, 'bad')
    const path = blobPath(service.folder, layer)
    const bytes = await readFile(path)
    bytes[5000] = 1 ^ (bytes[5000] ?? 0)
    await writeFile(path, bytes)
    const { code, stdout, stderr } = await copyStore(service.folder, elsewhere.path)
    expect({ code, stdout: summarySchema.parse(JSON.parse(stdout)) }).toMatchObject({
      code: 1,
      stdout: { copied: 5, unreadable: 1 },
    })
    expect(stderr).toContain(`the blob ${layer} is not copied`)
  })

  test('stops at SIGINT and says how to go on', async () => {
    await using folder = await temporaryFolder()
    const [from, to] = [join(folder.path, 'from'), join(folder.path, 'to')]
    await FilesystemStore.open(from)
    // A file of zeros without blocks: it takes no room and many seconds to hash.
    const path = blobPath(from, digestOf(Buffer.from('long')))
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, '')
    await truncate(path, 16 * 1024 * mebibyte)
    await mkdir(join(to, 'staging'), { recursive: true })
    const begun = once(watch(join(to, 'staging')), 'change')
    const child = spawn(process.execPath, argsOf(from, to), { stdio: ['ignore', 'ignore', 'pipe'] })
    const [ended, said] = [once(child, 'close'), text(child.stderr)]
    await within(20_000, 'the first blob', begun)
    child.kill('SIGINT')
    expect(await within(60_000, 'the end', ended)).toEqual([130, null])
    expect(await said).toMatch(/^stopped by SIGINT; run the command again to go on\n$/m)
    expect(await readdir(join(to, 'staging'))).toHaveLength(1)
  })

  test.each([
    [['--from', 'filesystem:/nowhere'], 'give --from and --to'],
    [['--from', 'filesystem:/nowhere', '--to', 'ftp://x'], '/nowhere is no data folder'],
  ])('%s is refused', async (args, why) => {
    const { code, stderr } = await attempt(process.execPath, [program, 'copy-store', ...args])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(why) })
  })
})

const manifestSchema = z.object({ layers: z.tuple([z.object({ digest: z.string() })]) })

async function layerOf({ base }: Service, name: string): Promise<Digest> {
  const answer = await get(`${base}/v2/cvi/${name}/manifests/latest`)
  return parseDigest(manifestSchema.parse(await answer.json()).layers[0].digest)
}
