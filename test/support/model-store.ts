import { createHash } from 'node:crypto'
import { lutimes, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect } from 'vitest'
import { algorithmOf, type Digest } from '../../src/image/digest.ts'
import type { Store } from '../../src/store/store.ts'

/** Opens the store of a service that is not running. */
export type Opening = () => Promise<Store & AsyncDisposable>

export type Expected = { readonly digests: readonly string[]; readonly records: readonly string[] }

/** What a store holds, by its own telling, while no service is at work. */
export async function contentsOf(store: Store) {
  const listed = await Array.fromAsync(store.list())
  const strays = await Array.fromAsync(store.strays(Date.now() + 1000))
  const records = await Array.fromAsync(store.records.list(''))
  return {
    digests: listed.map(({ digest }) => digest).toSorted(),
    records: records.filter((key) => !key.startsWith('_')).toSorted(),
    staged: await store.staged(),
    strays: strays.map(({ name }) => name),
  }
}

/** Reads every blob that a store holds. */
export async function expectSound(store: Store): Promise<void> {
  const signal = AbortSignal.timeout(120_000)
  for await (const { digest, size } of store.list()) {
    const hash = createHash(algorithmOf(digest))
    let read = 0
    for await (const chunk of await bytesIn(store, digest, signal)) {
      hash.update(chunk)
      read += chunk.length
    }
    const found = `${algorithmOf(digest)}:${hash.digest('hex')}`
    expect({ digest: found, size: read }).toEqual({ digest, size })
  }
}

async function bytesIn(store: Store, digest: Digest, signal: AbortSignal) {
  return (await store.open(digest, null, signal)).stream()
}

/** The store holds what is expected and what has leases, every byte of it, and nothing else. */
export async function expectExactly(store: Store, folder: string, expected: Expected) {
  const { digests, records, staged } = await contentsOf(store)
  const { leases, announced, begun } = ledgerOf(folder)
  const must = new Set([...expected.digests, ...leases])
  expect(records).toEqual([...expected.records].toSorted())
  const certain = digests.filter((digest) => must.has(digest) || !announced.includes(digest))
  expect(certain).toEqual([...must].toSorted())
  expect(staged.filter((id) => !begun.includes(id))).toEqual([])
  await expectSound(store)
}

/** What the catalog keeps for a time alone. What was only announced may have come, or not. */
function ledgerOf(folder: string) {
  using database = openLedger(folder)
  const { catalog } = database
  const column = (query: string) => catalog.prepare(query).pluck().all().map(String)
  return {
    leases: column('SELECT digest FROM leases WHERE repository IS NOT NULL'),
    announced: column('SELECT digest FROM leases WHERE repository IS NULL'),
    // Pushes, and uploads that broke off: whoever sends them may go on.
    begun: [
      ...column('SELECT id FROM push_sessions'),
      ...column(
        "SELECT image_uid FROM uploads WHERE state IN ('receiving', 'interrupted')",
      ).flatMap((uid) => [`image-${uid}`, `image-${uid}-sent`]),
    ],
  }
}

/** As if nobody had gone on with any push for two days. */
export function ageSessions(catalogFolder: string): void {
  using database = openLedger(catalogFolder)
  database.catalog.prepare('UPDATE push_sessions SET touched_at = ?').run(longAgo())
}

/** As if two days went by: what was leased or begun is over, and every file is old. */
export async function age(catalogFolder: string, storeFolder: string): Promise<void> {
  {
    using database = openLedger(catalogFolder)
    database.catalog.prepare('UPDATE leases SET expires_at = ?').run(longAgo())
  }
  ageSessions(catalogFolder)
  const before = new Date(longAgo())
  for (const path of await readdir(storeFolder, { recursive: true })) {
    await lutimes(join(storeFolder, path), before, before)
  }
}

function longAgo(): number {
  return Date.now() - 2 * 86_400_000
}

function openLedger(folder: string) {
  const catalog = new Sqlite(join(folder, 'catalog.sqlite'))
  return { catalog, [Symbol.dispose]: () => void catalog.close() }
}
