import { join } from 'node:path'
import { pino } from 'pino'
import { Catalog } from '../../src/catalog/catalog.ts'
import { digestOf } from '../../src/image/digest.ts'
import { readManifest } from '../../src/image/document.ts'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { Collector } from '../../src/work/collect.ts'
import { leaseHolder, publishShared, put, reserve } from '../../src/work/publish.ts'
import { rebuild } from '../../src/work/rebuild.ts'
import { Repositories } from '../../src/work/repositories.ts'
import { newImage } from './catalog.ts'
import { imageManifest } from './push-content.ts'
import { temporaryFolder } from './temporary.ts'

const { signal } = new AbortController()

/** A store and a catalog without a service around them. */
export async function openBench() {
  const resources = new AsyncDisposableStack()
  const { path: folder } = resources.use(await temporaryFolder())
  const store = await FilesystemStore.open(folder)
  const open = async (name: string) => {
    const catalog = await Catalog.open({ path: join(folder, name), now: Date.now })
    return resources.use(catalog)
  }
  const catalog = await open('first.sqlite')
  const collector = new Collector(catalog, store, pino({ level: 'silent' }))
  const shelf = { catalog, store, collector, now: Date.now }
  return {
    folder,
    store,
    catalog,
    open,
    shelf,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

export type TestBench = Awaited<ReturnType<typeof openBench>>

export async function rebuildInto(catalog: Catalog, { store }: TestBench) {
  return await rebuild({ catalog, store, now: Date.now, report: () => {} }, signal)
}

/** An image that has got as far as Provisioning. */
export async function provision(name: string, catalog: Catalog) {
  return await catalog.transaction(async ({ images, jobs }) => {
    const added = await images.add(newImage(name, { urlKey: `key of ${name}` }))
    await jobs.add(added.uid)
    await images.change(added.uid, {
      phase: 'Provisioning',
      ready: { reason: 'Provisioning', message: '' },
    })
    return added
  })
}

/** An image on a layer of these bytes, Ready. */
export async function makeReady(name: string, text: string, { catalog, store, shelf }: TestBench) {
  const image = await provision(name, catalog)
  const bytes = Buffer.from(text)
  const layer = { digest: digestOf(bytes), size: bytes.length }
  await reserve(leaseHolder(image), [layer], shelf)
  await put(bytes, store, signal)
  const facts = {
    format: 'raw',
    unpackedBytes: 3,
    allocatedBytes: null,
    bootable: 'unknown',
    architecture: null,
    details: {},
  } as const
  const source = { bytes: 3, sha256: layer.digest }
  const judged = { layer, disk: { digest: layer.digest, size: 3 }, facts, source }
  return await publishShared(image, judged, { url: 'http://example.com/a' }, shelf, signal)
}

/** A manifest of two small blobs, under a tag. */
export async function pushManifest(repository: string, tag: string, bench: TestBench) {
  const { store, shelf, catalog } = bench
  const parts = [Buffer.from('{}'), Buffer.from(`a layer of ${repository}:${tag}`)]
  const blobs = parts.map((part) => ({ digest: digestOf(part), size: part.length }))
  await reserve('push', blobs, shelf)
  for (const part of parts) await put(part, store, signal)
  for (const [index, { digest }] of blobs.entries()) {
    await catalog.transaction(({ leases }) =>
      leases.grant(digest, `${repository} ${index}`, repository, 60_000),
    )
  }
  const [config, layer] = blobs
  if (!config || !layer) throw new Error('there are two blobs')
  const { bytes, mediaType } = imageManifest(config, [layer])
  const pushed = {
    digest: digestOf(bytes),
    bytes: Buffer.from(bytes),
    document: readManifest(bytes, mediaType),
    tags: [tag],
  }
  const repositories = new Repositories(shelf)
  await repositories.put(repository, pushed, signal)
  return { digest: pushed.digest, layer: layer.digest, repositories }
}
