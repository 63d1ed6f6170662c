import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { parseDigest, type Digest } from '../../../src/image/digest.ts'
import { readManifest } from '../../../src/image/document.ts'
import { newImage } from '../../support/catalog.ts'
import { layerOf, openHealthBench, type HealthBench } from '../../support/health-bench.ts'
import { imageManifest } from '../../support/push-content.ts'
import { blobOf, chunk, never } from '../../support/push-bench.ts'

const disk = Buffer.alloc(20_000, 'a disk ')
const layer = layerOf(disk)
const everyone = () => true

const push = (bench: HealthBench, digest: Digest, into = 'team/app') =>
  bench.pushes.whole(into, digest, chunk(layer), never)

async function lostImage() {
  const bench = await openHealthBench()
  const stored = await bench.image('one', disk)
  await bench.image('twin', disk)
  const digest = parseDigest(stored.layer.digest)
  await bench.flip(digest)
  await bench.scrub()
  return { ...bench, bench, digest }
}

describe('a damaged blob', () => {
  test('counts as absent for whoever would build on it, and can still be deleted', async () => {
    await using lost = await lostImage()
    const { catalog, repositories, digest } = lost
    const { blobs, holdings } = catalog.read
    expect(await blobs.size(digest)).toBeNull()
    expect(await holdings.blobSize('cvi/one', digest)).toBeNull()
    expect(await holdings.holds('cvi/one', digest)).toBe(true)
    expect(await repositories.mount('team/app', digest, 'cvi/one', everyone)).toBe(false)
    expect(await repositories.promise('cvi/one', digest)).toBe(false)
  })

  test('is none that a manifest may name, until it is pushed again', async () => {
    await using bench = await openHealthBench()
    const config = blobOf('the config')
    const blob = blobOf('the layer')
    for (const { digest, bytes } of [config, blob]) {
      await bench.pushes.whole('team/app', digest, chunk(bytes), never)
    }
    await bench.flip(blob.digest, 2)
    await bench.scrub()
    const made = imageManifest(config, [blob])
    const bytes = Buffer.from(made.bytes)
    const document = readManifest(bytes, made.mediaType)
    const manifest = { digest: blobOf(bytes.toString()).digest, bytes, document, tags: ['a'] }
    const put = () => bench.repositories.put('team/app', manifest, never)
    await expect(put()).rejects.toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' })
    await bench.pushes.whole('team/app', blob.digest, chunk(blob.bytes), never)
    await put()
    expect(await bench.catalog.read.manifests.byTag('team/app', 'a')).toMatchObject({
      digest: manifest.digest,
    })
    await bench.flip(manifest.digest, 2)
    await bench.scrub()
    expect([...(await bench.catalog.read.manifests.sizes('team/app', [manifest.digest]))]).toEqual(
      [],
    )
    await put()
    expect(await bench.catalog.read.blobs.size(manifest.digest)).toBe(bytes.length)
  })

  test('is mended by a push to any repository, and its images are Ready with it', async () => {
    await using lost = await lostImage()
    const { catalog, digest, bench } = lost
    expect(await bench.phase('twin')).toBe('ImageLost')
    const before = catalog.newestEvent
    await push(bench, digest)
    expect(await catalog.read.blobs.size(digest)).toBe(layer.length)
    expect(await bench.standing('one')).toMatchObject({ reason: 'Ready', message: '' })
    expect(await bench.phase('twin')).toBe('Ready')
    expect(catalog.newestEvent).toBe(before + 2)
    expect(await bench.scrub()).toMatchObject({ damaged: 0 })
  })

  test('brings back all of very many images, and whoever waits for them', async () => {
    await using lost = await lostImage()
    const { bench, catalog, digest, clock } = lost
    const stored = (await catalog.read.images.byName('one'))?.stored
    if (!stored) throw new Error('nothing is stored')
    await catalog.transaction(async ({ images, manifests, jobs }) => {
      for (let count = 0; count < 120; count += 1) {
        const added = await images.add(newImage(`n${count}`, { phase: 'Provisioning' }))
        const ready = { reason: 'Ready', message: '' } as const
        await images.change(added.uid, { phase: 'Ready', ready, stored })
        await images.change(added.uid, { phase: 'ImageLost', ready })
        const manifest = { ...stored.manifest, digest: parseDigest(stored.manifest.digest) }
        await manifests.put(`cvi/n${count}`, manifest, [digest])
      }
      const objectRef = { kind: 'ClusterVirtualImage', name: 'n99' } as const
      await images.add(newImage('waiting', { dataSource: { type: 'ObjectRef', objectRef } }))
      await jobs.add('uid-waiting')
      const runAfter = clock.now() + 60_000
      await jobs.postpone('uid-waiting', { runAfter, retryUntil: null, progress: 0 })
    })
    await push(bench, digest)
    await bench.checkup.idle()
    expect(await catalog.read.images.inPhase('ImageLost')).toEqual([])
    expect(await catalog.read.jobs.nextTurn()).toBe(clock.now())
  })

  test('leaves an image lost as long as another one of its blobs is', async () => {
    await using bench = await openHealthBench()
    const { layer, manifest } = await bench.image('one', disk)
    await bench.flip(layer.digest)
    await bench.flip(manifest.digest, 3)
    await bench.scrub()
    await push(bench, parseDigest(layer.digest))
    expect(await bench.standing('one')).toMatchObject({
      reason: 'ImageLost',
      message: expect.stringContaining(`the manifest ${manifest.digest}`),
    })
  })

  test('is not mended by whoever only names it', async () => {
    await using lost = await lostImage()
    const { bench, digest } = lost
    const third = bench.image('third', disk)
    await expect(third).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(await bench.phase('third')).toBe('Provisioning')
    expect(await bench.catalog.read.blobs.size(digest)).toBeNull()
  })

  test('is judged by its newest bytes alone', async () => {
    await using lost = await lostImage()
    const { bench, digest, catalog, checkup } = lost
    const before = await catalog.read.damages.byDigest(digest)
    if (!before) throw new Error('the layer is not there')
    await push(bench, digest)
    expect(await checkup.tell(before, { text: 'is old news', isUnread: false })).toBe(false)
    expect(await bench.phase('one')).toBe('Ready')
  })
})

describe('a reader', () => {
  const open = ({ checkup }: HealthBench, digest: Digest, end: number) =>
    checkup.open(digest, { start: 0, end }, never)

  test('is given the bytes', async () => {
    await using bench = await openHealthBench()
    const digest = parseDigest((await bench.image('one', disk)).layer.digest)
    await using opened = await open(bench, digest, layer.length - 1)
    expect((await buffer(opened.stream())).equals(layer)).toBe(true)
  })

  test.each(['lose', 'cut'] as const)('who meets what somebody did (%s) finds it', async (how) => {
    await using bench = await openHealthBench()
    const digest = parseDigest((await bench.image('one', disk)).layer.digest)
    await bench[how](digest, 10)
    await expect(open(bench, digest, layer.length - 1)).rejects.toThrow(digest)
    await bench.checkup.idle()
    expect(await bench.phase('one')).toBe('ImageLost')
    expect(bench.told).toEqual([digest])
    await push(bench, digest)
    expect(await bench.phase('one')).toBe('Ready')
  })

  test('who has gone, or who wants too much, says nothing of the blob', async () => {
    await using bench = await openHealthBench()
    const digest = parseDigest((await bench.image('one', disk)).layer.digest)
    await expect(open(bench, digest, layer.length)).rejects.toThrow(digest)
    await bench.checkup.idle()
    await bench.lose(digest)
    const gone = bench.checkup.open(digest, null, AbortSignal.abort(new Error('gone')))
    await expect(gone).rejects.toThrow('gone')
    await bench.checkup.idle()
    expect(await bench.phase('one')).toBe('Ready')
  })
})
