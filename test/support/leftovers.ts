import { readdir, stat } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect } from 'vitest'

/** What a data folder always holds, beside the folders whose content is counted here. */
const fixtures = /^(?:catalog\.sqlite(?:-wal|-shm)?|lock(?:-journal)?|server\.key)$/
const counted = new Set(['blobs', 'staging', 'repositories'])

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
    staged: await readdir(join(folder, 'staging')),
    records: (await filesBelow(join(folder, 'repositories'))).filter(isOfRepository),
    blobs: (await filesBelow(join(folder, 'blobs'))).map((path) => `sha256:${basename(path)}`),
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

/** Files that are coming in. */
export async function stagedIn(folder: string): Promise<readonly string[]> {
  return await filesBelow(join(folder, 'staging'))
}

/** Bytes of each blob, the smallest first. */
export async function blobSizes(folder: string): Promise<readonly number[]> {
  const blobs = join(folder, 'blobs')
  const found = await Promise.all((await filesBelow(blobs)).map((path) => stat(join(blobs, path))))
  return found.map(({ size }) => size).sort((a, b) => a - b)
}

/** The store's own id is always there. */
function isOfRepository(key: string): boolean {
  return key !== '_store/id'
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile())
  return files.map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort()
}

/** Read beside the service, which is the only one that writes. */
function openCatalog(folder: string) {
  const database = new Sqlite(join(folder, 'catalog.sqlite'), { readonly: true })
  return {
    column: (query: string) => database.prepare(query).pluck().all(),
    [Symbol.dispose]: () => void database.close(),
  }
}
