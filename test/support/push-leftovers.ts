import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'

/** What a data folder holds of pushes: files, and rows of the catalog. */
export type PushLeftovers = {
  readonly staged: readonly string[]
  /** Digests of files, and those of the rows that stand for them. */
  readonly files: readonly string[]
  readonly rows: readonly unknown[]
  readonly sessions: number
  /** By repository, `null` for those of blobs that are being published. */
  readonly leases: readonly unknown[]
  readonly references: number
}

export async function pushLeftovers(folder: string): Promise<PushLeftovers> {
  const database = new Sqlite(join(folder, 'catalog.sqlite'), { readonly: true })
  try {
    const column = (query: string) => database.prepare(query).pluck().all()
    return {
      staged: await readdir(join(folder, 'staging')),
      files: await blobsIn(folder),
      rows: column('select digest from blobs order by digest'),
      sessions: column('select id from push_sessions').length,
      leases: column("select coalesce(repository, 'null') from leases order by 1"),
      references: column('select digest from blob_references').length,
    }
  } finally {
    database.close()
  }
}

async function blobsIn(folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(folder, 'blobs'), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map(({ name }) => `${name.length === 64 ? 'sha256' : 'sha512'}:${name}`).toSorted()
}
