import { rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { digestOf, hexOf, parseDigest, type Digest } from '../../../src/image/digest.ts'
import { readManifest } from '../../../src/image/document.ts'
import { imageManifest, indexManifest } from '../../support/push-content.ts'
import { blobOf, chunk, hour, never, openBench } from '../../support/push-bench.ts'

const repository = 'a/b'
const config = blobOf('the config')
const layer = blobOf('the layer')
const everyone = () => true

type Bench = Awaited<ReturnType<typeof openBench>>
type Made = { readonly bytes: Uint8Array; readonly mediaType: string }

const part = ({ digest, size }: { digest: Digest; size: number }) => ({ digest, size })
const image = (more = {}) => imageManifest(part(config), [part(layer)], more)

function pushed({ bytes, mediaType }: Made, tags: readonly string[] = []) {
  const all = Buffer.from(bytes)
  return { digest: digestOf(all), bytes: all, document: readManifest(all, mediaType), tags }
}

async function push({ pushes }: Bench, into: string, ...blobs: (typeof layer)[]) {
  for (const { digest, bytes } of blobs) await pushes.whole(into, digest, chunk(bytes), never)
}

async function put({ repositories }: Bench, made: Made, tags: readonly string[] = []) {
  const manifest = pushed(made, tags)
  await repositories.put(repository, manifest, never)
  return manifest.digest
}

const holds = ({ catalog }: Bench, { digest }: { digest: Digest }, by = repository) =>
  catalog.read.holdings.blobSize(by, digest)

const placeOf = (digest: Digest, { folder }: Bench) =>
  join(folder, 'blobs', 'sha256', hexOf(digest).slice(0, 2), hexOf(digest))

async function leaseCount({ catalog }: Bench, digest: Digest): Promise<number> {
  let count = 0
  await catalog
    .transaction(async ({ leases }) => {
      while (await leases.endAll(repository, digest)) count += 1
      throw new Error('only counted')
    })
    .catch(() => {})
  return count
}

describe('a manifest', () => {
  test('is taken with its tags when everything that it needs is there', async () => {
    await using bench = await openBench()
    await push(bench, repository, config, layer)
    const digest = await put(bench, image(), ['a', 'b'])
    const { manifests } = bench.catalog.read
    expect(await manifests.tags(repository, '', 10)).toEqual(['a', 'b'])
    expect((await manifests.byTag(repository, 'b'))?.digest).toBe(digest)
    expect(await leaseCount(bench, layer.digest)).toBe(0)
    bench.clock.advance(100 * hour)
    await bench.sweep()
    expect(await bench.store.stat(layer.digest)).toEqual(part(layer))
  })

  test('that broke off leaves nothing announced', async () => {
    await using bench = await openBench()
    await push(bench, repository, config, layer)
    const broken = AbortSignal.abort(new Error('gone'))
    const manifest = pushed(image())
    await expect(bench.repositories.put(repository, manifest, broken)).rejects.toThrow('gone')
    await bench.collector.idle()
    expect(await bench.catalog.read.blobs.known([manifest.digest])).toEqual(new Set())
    expect(await leaseCount(bench, layer.digest)).toBe(1)
  })

  test('whose blobs another repository has is refused, and names them', async () => {
    await using bench = await openBench()
    await push(bench, repository, config)
    await push(bench, 'other', layer)
    await expect(put(bench, image(), ['a'])).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
      fields: [{ path: layer.digest }],
    })
    expect(await bench.catalog.read.manifests.exists(repository)).toBe(false)
  })

  test('whose blobs have another size is refused', async () => {
    await using bench = await openBench()
    await push(bench, repository, config, layer)
    const made = imageManifest(part(config), [{ digest: layer.digest, size: layer.size + 1 }])
    await expect(put(bench, made)).rejects.toMatchObject({ code: 'SIZE_INVALID' })
  })

  test.each(['removed', 'cut short'])(
    'whose blob was %s on the disk is refused until that is pushed again',
    async (how) => {
      await using bench = await openBench()
      await push(bench, repository, config, layer)
      const place = placeOf(layer.digest, bench)
      await (how === 'removed' ? rm(place) : truncate(place, 3))
      await expect(put(bench, image())).rejects.toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' })
      const mounted = bench.repositories.mount('other', layer.digest, null, everyone)
      expect(await mounted).toBe(false)
      await push(bench, repository, layer)
      await put(bench, image())
      expect(await bench.store.stat(layer.digest)).toEqual(part(layer))
    },
  )

  test('that goes takes its tags and what only it needed with it', async () => {
    await using bench = await openBench()
    await push(bench, repository, config, layer)
    const digest = await put(bench, image(), ['a', 'b'])
    expect(await bench.repositories.remove(repository, digest)).toBe(true)
    expect(await bench.repositories.remove(repository, digest)).toBe(false)
    expect(await bench.catalog.read.manifests.tags(repository, '', 10)).toEqual([])
    expect(await bench.catalog.read.blobs.total()).toBe(0)
    expect(await Array.fromAsync(bench.store.list())).toEqual([])
    expect(await Array.fromAsync(bench.store.records.list(''))).toEqual([])
  })

  test('that goes while another one comes never takes the blobs of that one', async () => {
    await using bench = await openBench()
    for (let round = 0; round < 10; round += 1) {
      await push(bench, repository, config, layer)
      const first = await put(bench, image({ annotations: { first: `${round}` } }))
      const second = image({ annotations: { second: `${round}` } })
      const [removed, came] = await Promise.allSettled([
        bench.repositories.remove(repository, first),
        put(bench, second),
      ])
      expect(removed).toMatchObject({ status: 'fulfilled', value: true })
      if (came.status === 'rejected') {
        expect(came.reason).toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' })
        continue
      }
      for (const one of [config, layer]) {
        expect(await bench.store.stat(one.digest)).toEqual(part(one))
        expect(await holds(bench, one)).toBe(one.size)
      }
      await bench.repositories.remove(repository, digestOf(Buffer.from(second.bytes)))
    }
  })

  test('that is listed by an index keeps it whole', async () => {
    await using bench = await openBench()
    await push(bench, repository, config, layer)
    const child = await put(bench, image())
    const index = indexManifest([{ digest: child, size: image().bytes.length }])
    await put(bench, index)
    const removed = bench.repositories.remove(repository, child)
    await expect(removed).rejects.toMatchObject({ code: 'IN_USE' })
    expect(await holds(bench, layer)).toBe(layer.size)
  })
})

describe('a blob', () => {
  test('that a pusher was told of stays for an hour, though its manifest goes', async () => {
    await using bench = await openBench()
    await push(bench, repository, config, layer)
    const digest = await put(bench, image())
    for (const one of [config, layer]) await bench.repositories.promise(repository, one.digest)
    await bench.repositories.remove(repository, digest)
    bench.clock.advance(hour - 1)
    await bench.sweep()
    await put(bench, image({ annotations: { another: 'one' } }))
    bench.clock.advance(hour)
    await bench.sweep()
    expect(await holds(bench, layer)).toBe(layer.size)
  })

  test('that a pusher asks for again and again is leased once', async () => {
    await using bench = await openBench()
    await push(bench, repository, config, layer)
    await put(bench, image())
    for (let times = 0; times < 5; times += 1) {
      await bench.repositories.promise(repository, layer.digest)
      bench.clock.advance(hour / 3)
    }
    expect(await bench.catalog.read.leases.end(layer.digest, `promised to ${repository}`)).not.toBe(
      null,
    )
    bench.clock.advance(hour)
    await bench.catalog.transaction(({ leases }) => leases.prune())
    expect(
      await bench.catalog.read.leases.end(layer.digest, `promised to ${repository}`),
    ).toBeNull()
  })

  test('of which nothing is there is promised to nobody', async () => {
    await using bench = await openBench()
    await push(bench, 'other', layer)
    await bench.repositories.promise(repository, layer.digest)
    expect(await holds(bench, layer)).toBeNull()
  })

  test('that a manifest needs is not deleted, and afterwards it is', async () => {
    await using bench = await openBench()
    const { repositories } = bench
    await push(bench, repository, config, layer)
    const digest = await put(bench, image())
    await push(bench, repository, layer)
    for (const one of [layer.digest, digest]) {
      await expect(repositories.removeBlob(repository, one)).rejects.toMatchObject({
        code: 'IN_USE',
      })
    }
    await repositories.remove(repository, digest)
    expect(await holds(bench, layer)).toBe(layer.size)
    expect(await repositories.removeBlob(repository, layer.digest)).toBe(true)
    expect(await repositories.removeBlob(repository, layer.digest)).toBe(false)
    expect(await bench.store.stat(layer.digest)).toBeNull()
  })

  test('that was pushed many times is gone at once when it is deleted', async () => {
    await using bench = await openBench()
    for (let times = 0; times < 5; times += 1) await push(bench, repository, layer)
    await push(bench, 'other', layer)
    expect(await bench.repositories.removeBlob(repository, layer.digest)).toBe(true)
    expect(await holds(bench, layer)).toBeNull()
    expect(await holds(bench, layer, 'other')).toBe(layer.size)
    expect(await bench.store.stat(layer.digest)).toEqual(part(layer))
    await bench.repositories.removeBlob('other', layer.digest)
    expect(await bench.store.stat(layer.digest)).toBeNull()
  })

  test('is mounted only from a repository that the caller may read', async () => {
    await using bench = await openBench()
    await push(bench, 'secret', layer)
    const mount = (from: string) =>
      bench.repositories.mount(repository, layer.digest, null, (holder) => holder === from)
    expect(await mount('open')).toBe(false)
    expect(await mount('secret')).toBe(true)
    await bench.repositories.removeBlob('secret', layer.digest)
    bench.clock.advance(hour - 1)
    await bench.sweep()
    expect(await holds(bench, layer)).toBe(layer.size)
    bench.clock.advance(1)
    await bench.sweep()
    expect(await bench.store.stat(layer.digest)).toBeNull()
  })

  test('that two clients pushed stays for the second, whatever the first does with its image', async () => {
    await using bench = await openBench()
    await push(bench, repository, config, layer)
    await push(bench, repository, config, layer)
    const digest = await put(bench, image(), ['a'])
    await put(bench, image(), ['b'])
    await bench.repositories.remove(repository, digest)
    await put(bench, image({ annotations: { of: 'the second' } }))
    expect(await holds(bench, layer)).toBe(layer.size)
  })
})

test('digests of manifests are those of their bytes', () => {
  expect(pushed(image()).digest).toBe(parseDigest(digestOf(Buffer.from(image().bytes))))
})
