import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect } from 'vitest'
import { isInS3, isOnBadRoad, openBeside } from './place.ts'

/** What a data folder always holds, beside the folders whose content is counted here. */
const fixtures = /^(?:catalog\.sqlite(?:-wal|-shm)?|lock(?:-journal)?|server\.key)$/
/** What the store keeps there, and what an S3 store puts aside. */
const counted = new Set(['blobs', 'staging', 'repositories', 'scratch'])

/**
 * Holds a data folder against the images that are in it and Ready: their tags, the blobs they need, and nothing else: no
 * file of another image, no row, no lease, no work.
 * @param names in order
 */
export async function expectOnly(folder: string, names: readonly string[]): Promise<void> {
  using catalog = openCatalog(folder)
  const needed = catalog.column('select distinct digest from blob_references order by 1')
  expect({
    others: (await readdir(folder)).filter((name) => !counted.has(name) && !fixtures.test(name)),
    ...(await storedIn(folder)),
    images: catalog.column('select name from images order by name'),
    rows: catalog.column('select digest from blobs order by digest'),
    manifests: catalog.column('select repository from manifests order by repository'),
    tags: catalog.column("select repository || ':' || name from tags order by repository"),
    leases: catalog.column('select holder from leases'),
    jobs: catalog.column('select image_uid from jobs'),
    strayUploads: catalog.column(
      'select image_uid from uploads where image_uid not in (select uid from images)',
    ),
  }).toEqual({
    others: [],
    staged: [],
    strays: [],
    records: names.map((name) => `cvi/${name}/_tags/latest`),
    blobs: needed,
    images: names,
    rows: needed,
    manifests: names.map((name) => `cvi/${name}`),
    tags: names.map((name) => `cvi/${name}:latest`),
    leases: [],
    jobs: [],
    strayUploads: [],
  })
}

export async function expectNothing(folder: string): Promise<void> {
  await expectOnly(folder, [])
}

async function storedIn(folder: string) {
  await using store = await openBeside(folder)
  const blobs = await Array.fromAsync(store.list())
  const found = await Array.fromAsync(store.strays(Date.now() + 1000))
  // When the answer that names a new multipart upload is lost, only the sweep can end it: it holds no byte.
  const strays = found.filter(({ size }) => size > 0 || !isOnBadRoad())
  // The store's own id is always there.
  const records = await Array.fromAsync(store.records.list(''))
  return {
    staged: await store.staged(),
    strays: strays.map(({ name }) => name),
    records: records.filter((key) => key !== '_store/id').toSorted(),
    blobs: blobs.map(({ digest }) => digest).toSorted(),
  }
}

/** Ids of what is coming in. */
export async function stagedIn(folder: string): Promise<readonly string[]> {
  await using store = await openBeside(folder)
  return await store.staged()
}

/** Some of what is coming in is stored; in S3 nothing is before the first part is full. */
export async function expectStaged(folder: string): Promise<void> {
  if (!isInS3()) expect(await stagedIn(folder)).not.toEqual([])
}

/** Bytes of each blob, the smallest first. */
export async function blobSizes(folder: string): Promise<readonly number[]> {
  await using store = await openBeside(folder)
  const blobs = await Array.fromAsync(store.list())
  return blobs.map(({ size }) => size).sort((a, b) => a - b)
}

/** Read beside the service, which is the only one that writes. */
function openCatalog(folder: string) {
  const database = new Sqlite(join(folder, 'catalog.sqlite'), { readonly: true })
  return {
    column: (query: string) => database.prepare(query).pluck().all(),
    [Symbol.dispose]: () => void database.close(),
  }
}
