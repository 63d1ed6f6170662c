import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import {
  canMakeImages,
  compressedClusters,
  compressedQcow2,
  ext4Disk,
  gzipped,
  isoOf,
  makeTree,
  qemuImgInfo,
  sha256Of,
} from '../support/images.ts'
import { blobSizes, expectNothing, expectOnly } from '../support/leftovers.ts'
import { needs } from '../support/programs.ts'
import { canPull, pull } from '../support/pull.ts'
import type { Image } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'

const able = [canMakeImages(), canPull(), needs('curl', 'apt-get install curl')].every(Boolean)

describe.skipIf(!able)('real images, from one end to the other', () => {
  const resources = new AsyncDisposableStack()
  let folder: string
  let service: Service
  let neighbour: Neighbour
  let raw: string
  let qcow2: string
  let iso: string

  beforeAll(async () => {
    folder = resources.use(await temporaryFolder()).path
    neighbour = resources.use(await startNeighbour())
    service = resources.use(await startService())
    const tree = await makeTree(folder)
    raw = await ext4Disk(folder, tree)
    qcow2 = await compressedQcow2(folder, raw)
    iso = await isoOf(folder, tree)
  })
  afterAll(() => resources.disposeAsync())

  async function fetched(name: string, path: string): Promise<Image> {
    const lastModified = 'Wed, 21 Oct 2026 07:28:00 GMT'
    const url = neighbour.serve(`/${basename(path)}`, { bytes: await readFile(path), lastModified })
    await service.rest.createFrom(name, url)
    return await service.rest.ready(name)
  }

  test('a qcow2 that is fetched over HTTP is pulled byte for byte', async () => {
    expect(await compressedClusters(qcow2)).toBeGreaterThan(0)
    const { status } = await fetched('from-http', qcow2)
    const { virtualSize } = await qemuImgInfo(qcow2)
    expect(status).toMatchObject({
      phase: 'Ready',
      progress: '100%',
      format: 'qcow2',
      cdrom: false,
      size: { unpackedBytes: String(virtualSize) },
      source: { bytes: String((await stat(qcow2)).size), sha256: await sha256Of(qcow2) },
    })
    const pulled = await pull(service.base, 'from-http', join(folder, 'from-http'))
    expect(pulled.files).toEqual(['disk.qcow2'])
    expect((await readFile(pulled.disk)).equals(await readFile(qcow2))).toBe(true)
    expect(pulled.labels).toMatchObject({ 'source-image-virtual-size': String(virtualSize) })
    await service.rest.delete('from-http')
  })

  test('an ISO that a shell sends with the shown command is pulled byte for byte', async () => {
    const { status } = await service.rest.create('from-shell', { type: 'Upload' })
    const command = z.string().parse(status.uploadCommand)
    expect(command).toMatch(
      /^curl http:\/\/127\.0\.0\.1:\d+\/upload\/[A-Za-z0-9]{32} -T example.iso$/,
    )
    expect(await run('sh', ['-c', command], { cwd: folder })).toContain('"phase":"Ready"')
    const ready = await service.rest.image('from-shell')
    const { virtualSize } = await qemuImgInfo(iso)
    expect(ready.status).toMatchObject({
      format: 'iso',
      cdrom: true,
      size: { unpackedBytes: String(virtualSize) },
      details: { volumeId: 'SLIPWAY' },
    })
    const pulled = await pull(service.base, 'from-shell', join(folder, 'from-shell'))
    expect(pulled.files).toEqual(['disk.iso'])
    expect((await readFile(pulled.disk)).equals(await readFile(iso))).toBe(true)
    await service.rest.delete('from-shell')
  })

  test('a disk in gzip is pulled as the disk that is inside', async () => {
    const { status } = await fetched('from-gzip', await gzipped(raw))
    expect(status).toMatchObject({
      format: 'raw',
      cdrom: false,
      size: { unpackedBytes: String((await stat(raw)).size) },
      source: { sha256: await sha256Of(`${raw}.gz`) },
    })
    const pulled = await pull(service.base, 'from-gzip', join(folder, 'from-gzip'))
    expect(pulled.files).toEqual(['disk.img'])
    expect((await readFile(pulled.disk)).equals(await readFile(raw))).toBe(true)
    await service.rest.delete('from-gzip')
  })

  test('the same image under two names, by two ways, is stored once', async () => {
    const one = await fetched('one', iso)
    const two = await fetched('two', iso)
    const url = await service.rest.createUpload('three')
    await run('curl', ['-fsS', '-T', iso, url])
    expect(two.status.target.digest).toBe(one.status.target.digest)
    await expectOnly(service.folder, ['one', 'three', 'two'])
    const [first, third] = [
      await pull(service.base, 'one', join(folder, 'one')),
      await pull(service.base, 'three', join(folder, 'three')),
    ]
    expect(third.layer).toEqual(first.layer)
    const disks = (await blobSizes(service.folder)).filter((size) => size > 1_000_000)
    expect(disks).toEqual([first.layer.size])
    for (const name of ['one', 'two', 'three']) await service.rest.delete(name)
    await expectNothing(service.folder)
  })
})
