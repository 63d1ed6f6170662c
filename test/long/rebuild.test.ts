import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { hexOf, parseDigest } from '../../src/image/digest.ts'
import { damageCatalog } from '../support/damaged-catalog.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { expectOnly } from '../support/leftovers.ts'
import { answer, loseCatalog, rebuild, slipway } from '../support/lost-catalog.ts'
import { readiness, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const host = { SLIPWAY_REGISTRY_HOST: 'registry.example' }
const bytes = disk(mebibyte)

const found = z.object({ added: z.record(z.string(), z.number()), lost: z.number() })

describe('of an image whose bytes are missing', () => {
  test('an ImageLost one is made', async () => {
    await using service = await startService(host)
    const { rest, folder } = service
    await send(await rest.createUpload('whole'), disk(mebibyte, 2))
    await send(await rest.createUpload('lost'), bytes)
    const before = await rest.image('lost')
    await service.stop()
    const layer = await layerOf(folder, 'lost')
    await rm(layer.path)
    await loseCatalog(service)
    expect(found.parse(await rebuild(folder))).toMatchObject({ added: { images: 2 }, lost: 1 })
    await service.start()
    const after = await rest.image('lost')
    expect(after.status.phase).toBe('ImageLost')
    expect(readiness(after).message).toBe(
      `the layer ${layer.digest} of the image is missing; import it again with retry, or push the same bytes`,
    )
    expect(after.status.size).toEqual(before.status.size)
    expect((await rest.image('whole')).status.phase).toBe('Ready')
    await rest.delete('lost')
    await expectOnly(folder, ['whole'])
  })
})

const recordSchema = z.looseObject({
  image: z.looseObject({
    status: z.object({ stored: z.object({ layer: z.object({ digest: z.string() }) }) }),
  }),
})

async function readRecord(folder: string, name: string) {
  const path = join(folder, 'repositories', 'cvi', name, '_tags', 'latest')
  return { path, record: recordSchema.parse(JSON.parse(await readFile(path, 'utf8'))) }
}

async function layerOf(folder: string, name: string) {
  const { record } = await readRecord(folder, name)
  const digest = parseDigest(record.image.status.stored.layer.digest)
  const hex = hexOf(digest)
  return { digest, path: join(folder, 'blobs', 'sha256', hex.slice(0, 2), hex) }
}

test('from a record of an earlier version the manifest tells the rest', async () => {
  await using neighbour = await startNeighbour()
  await using service = await startService(host)
  const { rest, folder } = service
  await rest.createFrom('old', neighbour.serve('/disk.img', { bytes, etag: '"1"' }))
  const before = await rest.ready('old')
  await service.stop()
  const { path, record } = await readRecord(folder, 'old')
  const { status, ...image } = record.image
  expect(status).toBeDefined()
  await writeFile(path, JSON.stringify({ ...record, image }))
  await loseCatalog(service)
  await rebuild(folder)
  await service.start()
  const after = await rest.image('old')
  expect({ ...after.status, conditions: [] }).toEqual({ ...before.status, conditions: [] })
  expect({ ...after, status: null }).toEqual({ ...before, status: null })
})

describe('a catalog', () => {
  let service: Service
  beforeAll(async () => {
    service = await startService(host)
    await send(await service.rest.createUpload('image'), bytes)
    await service.stop()
  })
  afterAll(() => service[Symbol.asyncDispose]())

  test('that is no database stops the start with a sentence, and is kept aside', async () => {
    await loseCatalog(service)
    await writeFile(join(service.folder, 'catalog.sqlite'), Buffer.alloc(40_000, 'garbage'))
    const { code, stderr } = await slipway(service.folder, ['serve'])
    expect([code, stderr]).toEqual([
      2,
      `the catalog ${service.folder}/catalog.sqlite is damaged (file is not a database); stop Slipway and run "slipway rebuild", which makes it again from the storage, or put a backup in its place\n`,
    ])
    const rebuilt = await slipway(service.folder, ['rebuild'])
    expect(rebuilt.stderr).toMatch(/is damaged \(.+\); it is kept as .+damaged-.+, and a new one/)
    expect(JSON.parse(rebuilt.stdout)).toMatchObject({ added: { images: 1 } })
    await service.start()
    expect(await service.rest.names()).toEqual(['image'])
    await service.stop()
  })

  test('that is damaged within is told by readiness after a crash, and made again', async () => {
    await service.start()
    await service.kill()
    await damageCatalog(join(service.folder, 'catalog.sqlite'))
    await service.start()
    await service.logs.line(({ msg }) => /the catalog is damaged/.test(msg))
    const ready = await answer(`${service.base}/readyz`)
    expect(ready).toMatchObject({
      status: 503,
      body: expect.stringMatching(/^the catalog is damaged \(.+\); .+"slipway rebuild"/),
    })
    await service.stop()
    const { stderr } = await slipway(service.folder, ['rebuild'])
    expect(stderr).toMatch(/is damaged \(.+\); it is kept as .+damaged-/)
    await service.start()
    expect((await answer(`${service.base}/readyz`)).status).toBe(200)
    expect(await service.rest.names()).toEqual(['image'])
    await service.stop()
  })

  test('of another storage is refused, and a rebuild keeps it aside', async () => {
    await using other = await startService()
    await other.rest.createUpload('waiting')
    await other.stop()
    await loseCatalog(service)
    const path = 'catalog.sqlite'
    await writeFile(join(service.folder, path), await readFile(join(other.folder, path)))
    await expect(service.start()).rejects.toThrow('does not belong to the images in')
    const rebuilt = await slipway(service.folder, ['rebuild'])
    expect(rebuilt.stderr).toMatch(/belongs to another storage; it is kept as .+other-/)
    await service.start()
    expect(await service.rest.names()).toEqual(['image'])
  })

  test('is not rebuilt while the service runs', async () => {
    const { code, stderr } = await slipway(service.folder, ['rebuild'])
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/another Slipway is running on .+; stop it first/),
    ])
    await service.stop()
  })

  test('without its storage is refused', async () => {
    await rm(join(service.folder, 'repositories'), { recursive: true })
    await expect(service.start()).rejects.toThrow(/belongs to a storage that is not in .+emptied/)
  })
})
