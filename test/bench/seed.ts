import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { eachOf } from '../../src/work/each-of.ts'
import { storedOf } from '../support/catalog.ts'

/** Files that are written at the same time. */
const width = 32

type Made = { readonly name: string; readonly blobs: readonly Buffer[] }

/**
 * Ready images of three small blobs each, written straight into a data folder on which a service has run and does not now.
 * @returns their names
 */
export async function seedImages(folder: string, count: number): Promise<readonly string[]> {
  const images = made(count)
  writeRows(folder, images)
  await eachOf(images, width, async ({ name, blobs }) => {
    for (const bytes of blobs) await write(blobPath(folder, bytes), bytes)
    const record = { manifest: { digest: digestOf(partOf('manifest', name)) } }
    await write(
      join(folder, 'repositories', 'cvi', name, '_tags', 'latest'),
      JSON.stringify(record),
    )
  })
  return images.map(({ name }) => name)
}

/** The same without the bytes, which take minutes to write: for what looks at the catalog alone. */
export function seedRows(folder: string, count: number): void {
  writeRows(folder, made(count))
}

function made(count: number): readonly Made[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `image-${String(index).padStart(7, '0')}`
    return { name, blobs: ['layer', 'config', 'manifest'].map((part) => partOf(part, name)) }
  })
}

/** As `storedOf` makes them. */
function partOf(part: string, name: string): Buffer {
  return Buffer.from(`${part} of ${name}`)
}

function writeRows(folder: string, images: readonly Made[]): void {
  inCatalog(folder, (database) => {
    const image = database.prepare(
      `insert into images (uid, name, generation, created_at, data_source, had_secrets, attempt, phase, ready_reason,
        ready_message, ready_since, source_reason, source_message, source_since, retries, stored, format, manifest_digest)
       values (?, ?, 1, 0, '{"type":"Upload"}', 0, 1, 'Ready', 'Ready', '', 0, 'DatasourceReady', '', 0, 0, ?, 'qcow2', ?)`,
    )
    const blob = database.prepare(
      `insert into blobs (digest, size, state, created_at) values (?, ?, 'present', 0)`,
    )
    const needs = database.prepare('insert into blob_references values (?, ?, ?)')
    const manifest = database.prepare(
      `insert into manifests (repository, digest, media_type, size, created_at) values (?, ?, ?, ?, 0)`,
    )
    const tag = database.prepare(`insert into tags values (?, 'latest', ?, 0)`)
    for (const { name, blobs } of images) {
      const stored = storedOf(name)
      const { digest, size, mediaType } = stored.manifest
      const repository = `cvi/${name}`
      image.run(`uid-${name}`, name, JSON.stringify(stored), digest)
      for (const bytes of blobs) {
        blob.run(digestOf(bytes), bytes.length)
        needs.run(repository, digest, digestOf(bytes))
      }
      manifest.run(repository, digest, mediaType, size)
      tag.run(repository, digest)
    }
  })
}

/** A manifest that is not there any more needs them. */
const forgotten = 'forgotten'

/**
 * Rows of blobs that have no bytes: what a catalog of that size is, without the disk that it takes. One in `every` is needed by
 * nothing once `forget` was called.
 */
export function seedBlobs(folder: string, blobs: number, every: number): void {
  // In their order the rows are written several times as fast.
  const digests = Array.from({ length: blobs }, (_, index) =>
    digestOf(Buffer.from(`blob ${index}`)),
  ).sort()
  inCatalog(folder, (database) => {
    const blob = database.prepare(
      `insert into blobs (digest, size, state, created_at) values (?, 1048576, 'present', 0)`,
    )
    const needs = database.prepare('insert into blob_references values (?, ?, ?)')
    for (const [index, digest] of digests.entries()) {
      const repository = `team/app-${String(Math.floor(index / 1000)).padStart(7, '0')}`
      blob.run(digest)
      if (index % every === 0) needs.run(forgotten, forgotten, digest)
      else needs.run(repository, `manifest of ${repository}`, digest)
    }
  })
}

/** Nothing needs the one blob in so many any more; as after a crash, and while a service runs. */
export function forget(folder: string): void {
  inCatalog(folder, (database) => {
    database.prepare('delete from blob_references where repository = ?').run(forgotten)
  })
}

function inCatalog(folder: string, fill: (database: Sqlite.Database) => void): void {
  const database = new Sqlite(join(folder, 'catalog.sqlite'))
  try {
    // Half a gigabyte: what is filled does not fit into the usual two megabytes.
    database.pragma('cache_size = -524288')
    database.transaction(() => fill(database))()
  } finally {
    database.close()
  }
}

async function write(path: string, bytes: Buffer | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
}

function blobPath(folder: string, bytes: Buffer): string {
  const hex = createHash('sha256').update(bytes).digest('hex')
  return join(folder, 'blobs', 'sha256', hex.slice(0, 2), hex)
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}
