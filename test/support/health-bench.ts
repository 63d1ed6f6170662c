import { open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { digestOf, hexOf, parseDigest, type Digest } from '../../src/image/digest.ts'
import type { Stored } from '../../src/image/stored.ts'
import { layerHead, layerTail } from '../../src/pack/tar-frame.ts'
import type { Store } from '../../src/store/store.ts'
import { Checkup } from '../../src/work/checkup.ts'
import { leaseHolder, publishShared, put, reserve } from '../../src/work/publish.ts'
import { scrub } from '../../src/work/scrub.ts'
import type { Facts } from '../../src/catalog/maintenance-runs.ts'
import { newImage } from './catalog.ts'
import { never, openBench } from './push-bench.ts'

export const log = pino({ level: 'silent' })

/** Images on real files, and what finds their damage. */
export async function openHealthBench() {
  const bench = await openBench()
  const { catalog, store, folder } = bench
  const told: string[] = []
  const onDamage = ({ digest }: { digest: Digest }) => void told.push(digest)
  const checkupOn = (over: Store) => new Checkup({ catalog, store: over, log, onDamage })
  const checkup = checkupOn(store)
  const placeOf = (digest: string) => {
    const hex = hexOf(parseDigest(digest))
    return join(folder, 'blobs', 'sha256', hex.slice(0, 2), hex)
  }
  return {
    ...bench,
    checkup,
    checkupOn,
    /** Digests of the damages that were told. */
    told,
    placeOf,
    /** A Ready image of a raw disk. */
    image: async (name: string, disk: Buffer) => await imageOf(name, disk, bench),
    phase: async (name: string) => (await catalog.read.images.byName(name))?.phase,
    /** Why it is as it is. */
    standing: async (name: string) => (await catalog.read.images.byName(name))?.ready,
    /** @returns what the run had come to */
    async scrub(over: Store = store, options: Facts = {}): Promise<Facts> {
      let progress: Facts = {}
      const report = (facts: Facts) => {
        progress = facts
      }
      const task = scrub({ catalog, store: over, checkup: checkupOn(over) })
      await task({ options, before: {}, report }, never)
      return progress
    },
    async flip(digest: string, at = 5000): Promise<void> {
      await using file = await open(placeOf(digest), 'r+')
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at)
      buffer[0] = (buffer[0] ?? 0) ^ 1
      await file.write(buffer, 0, 1, at)
    },
    cut: async (digest: string, to: number) => await truncate(placeOf(digest), to),
    lose: async (digest: string) => await rm(placeOf(digest)),
    bytes: async (digest: string) => await readFile(placeOf(digest)),
    restore: async (digest: string, bytes: Buffer) => await writeFile(placeOf(digest), bytes),
  }
}

export type HealthBench = Awaited<ReturnType<typeof openHealthBench>>

export function layerOf(disk: Buffer): Buffer {
  return Buffer.concat([layerHead('raw', disk.length), disk, layerTail(disk.length)])
}

async function imageOf(
  name: string,
  disk: Buffer,
  bench: Awaited<ReturnType<typeof openBench>>,
): Promise<Stored> {
  const { catalog, store, clock } = bench
  const image = await catalog.transaction(async ({ images, jobs }) => {
    const added = await images.add(newImage(name))
    await jobs.add(added.uid)
    const ready = { reason: 'Provisioning', message: '' } as const
    await images.change(added.uid, { phase: 'Provisioning', ready })
    return added
  })
  const bytes = layerOf(disk)
  const layer = { digest: digestOf(bytes), size: bytes.length }
  const facts = {
    format: 'raw',
    unpackedBytes: disk.length,
    allocatedBytes: null,
    bootable: 'unknown',
    architecture: null,
    details: {},
  } as const
  const source = { bytes: disk.length, sha256: digestOf(disk) }
  const judged = { layer, disk: { digest: digestOf(disk), size: disk.length }, facts, source }
  const shelf = { ...bench, now: clock.now }
  await reserve(leaseHolder(image), [layer], shelf)
  if (!(await store.stat(layer.digest))) await put(bytes, store, never)
  const { stored } = await publishShared(image, judged, {}, shelf, never)
  if (!stored) throw new Error(`${name} has nothing stored`)
  return stored
}
