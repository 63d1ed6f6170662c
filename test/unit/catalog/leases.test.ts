import { describe, expect, test } from 'vitest'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import { digestOf } from '../../../src/image/digest.ts'
import { openCatalog } from '../../support/catalog.ts'

const hour = 3_600_000
const digest = digestOf(Buffer.from('blob'))
const other = digestOf(Buffer.from('other'))

const unkept = async ({ read }: Catalog) =>
  (await read.blobs.unkept('', 10)).unkept.map(({ digest }) => digest)

async function withLeases() {
  const opened = await openCatalog()
  const { catalog } = opened
  await catalog.transaction(async ({ blobs }) => {
    for (const one of [digest, other]) await blobs.reserve({ digest: one, size: 4 }, 'upload', hour)
  })
  const grant = (holder: string, repository = 'a', what = digest) =>
    catalog.transaction(({ leases }) => leases.grant(what, holder, repository, hour))
  return {
    ...opened,
    grant,
    use: (...digests: (typeof digest)[]) =>
      catalog.transaction(({ leases }) => leases.use('a', digests)),
    end: (holder: string, what = digest) => catalog.read.leases.end(what, holder),
    size: (repository = 'a', what = digest) => catalog.read.holdings.blobSize(repository, what),
  }
}

describe('a lease', () => {
  test('lets one repository have a blob until its end, and not at it', async () => {
    await using opened = await withLeases()
    const { grant, size, clock } = opened
    await grant('push')
    expect(await size()).toBe(4)
    expect(await size('b')).toBeNull()
    expect(await size('a', other)).toBeNull()
    clock.advance(hour - 1)
    expect(await size()).toBe(4)
    clock.advance(1)
    expect(await size()).toBeNull()
  })

  test('of a blob that is being published lets nobody read it', async () => {
    await using opened = await withLeases()
    expect(await opened.size()).toBeNull()
    expect(await opened.catalog.read.holdings.repositoriesWith(digest, 10)).toEqual([])
  })

  test('becomes one of the repository when its upload is granted the blob', async () => {
    await using opened = await withLeases()
    const { grant, size, end, clock } = opened
    clock.advance(1000)
    await grant('upload')
    expect(await size()).toBe(4)
    expect(await end('upload')).toBe(clock.time + hour)
  })

  test('lasts longer while somebody works in its repository, unless it is over', async () => {
    await using opened = await withLeases()
    const { grant, end, clock, catalog } = opened
    await grant('first')
    clock.advance(hour / 2)
    await grant('second')
    await grant('elsewhere', 'b')
    clock.advance(hour / 2)
    await catalog.transaction(({ leases }) => leases.prolong('a', hour))
    expect(await end('first')).toBe(clock.time)
    expect(await end('second')).toBe(clock.time + hour)
    expect(await end('elsewhere')).toBe(clock.time + hour / 2)
  })

  test('is used up by one manifest, that with the least time left', async () => {
    await using opened = await withLeases()
    const { grant, use, end, clock } = opened
    await grant('late', 'a', other)
    await grant('first')
    clock.advance(1000)
    await grant('second')
    await grant('elsewhere', 'b')
    await use(digest, other)
    expect(await end('first')).toBeNull()
    expect(await end('second')).not.toBeNull()
    expect(await end('elsewhere')).not.toBeNull()
    expect(await end('late', other)).toBeNull()
    await use(digest)
    expect(await end('second')).toBeNull()
    await use(digest)
    expect(await end('elsewhere')).not.toBeNull()
  })

  test('ends with all others of its repository when the blob is deleted there', async () => {
    await using opened = await withLeases()
    const { grant, size, catalog } = opened
    await grant('first')
    await grant('second')
    await grant('elsewhere', 'b')
    const endAll = (repository: string) =>
      catalog.transaction(({ leases }) => leases.endAll(repository, digest))
    expect(await endAll('a')).toBe(true)
    expect(await endAll('a')).toBe(false)
    expect(await size()).toBeNull()
    expect(await size('b')).toBe(4)
  })

  test('keeps the blob from collection until it is over, and is pruned then', async () => {
    await using opened = await withLeases()
    const { grant, clock, catalog, end } = opened
    clock.advance(hour)
    await grant('push')
    expect(await unkept(catalog)).toEqual([other])
    await catalog.transaction(({ leases }) => leases.prune())
    expect(await end('upload')).toBeNull()
    expect(await end('push')).not.toBeNull()
    clock.advance(hour)
    expect((await unkept(catalog)).toSorted()).toEqual([digest, other].toSorted())
    await catalog.transaction(({ leases }) => leases.prune())
    expect(await end('push')).toBeNull()
  })
})
