import type { Catalog } from '../catalog/catalog.ts'
import type { Restored, Sized } from '../catalog/restoration.ts'
import type { Store } from '../store/store.ts'
import { inHandfuls } from './in-handfuls.ts'
import { loseImages, restoreImages } from './restore-images.ts'
import { readRecord, type Stated, type Unreadable } from './stored-records.ts'

/** What was found in the store, and what of it the catalog did not have. Numbers of records and blobs, and of rows. */
export type Findings = {
  readonly blobs: number
  readonly images: number
  readonly manifests: number
  readonly tags: number
  readonly added: {
    readonly images: number
    readonly manifests: number
    readonly tags: number
    readonly blobs: number
    /** What manifests need. */
    readonly references: number
  }
  /** Images that have become ImageLost: some of their bytes are not here. */
  readonly lost: number
  /** Manifests that clients pushed and whose own bytes are not here, or are other ones. */
  readonly missing: number
  readonly unreadable: number
  /** The first of them, for people. */
  readonly examples: readonly Unreadable[]
}

export type Ground = {
  readonly catalog: Catalog
  readonly store: Store
  readonly now: () => number
  /** Hears how far it is. */
  readonly report: (findings: Findings) => void
}

/** Records that are read at the same time, and that go into one transaction with what they name. */
const atOnce = 32
const handful = 384
/** What manifests of one transaction need in all: one of them may need thousands of blobs. */
const mostNeeds = 50_000
const mostExamples = 20

/**
 * Makes the catalog again from what lies in the store: images, manifests, tags, and what they need. What the catalog knows
 * already stays; what is in the store and has no record is left alone, for the collection to judge. It may be stopped at any
 * time and run again.
 */
export async function rebuild(ground: Ground, signal: AbortSignal): Promise<Findings> {
  const total = new Total(ground.report)
  await noteBlobs(ground, total, signal)
  let pending: Stated[] = []
  for await (const keys of inHandfuls(ground.store.records.list(''), atOnce)) {
    signal.throwIfAborted()
    const read = await Promise.all(keys.map((key) => readRecord(key, ground.store, signal)))
    for (const each of read) {
      if (each && 'problem' in each) total.add({ unreadable: 1, examples: [each] })
      else if (each) pending.push(each)
    }
    if (!isFull(pending)) continue
    await restore(pending, ground, total)
    pending = []
  }
  await restore(pending, ground, total)
  await loseAll(ground, total)
  return total.findings
}

async function loseAll({ catalog }: Ground, total: Total): Promise<void> {
  for (let after: string | null = ''; after !== null;) {
    const from: string = after
    const { last, lost } = await catalog.transaction((tables) => loseImages(from, tables))
    total.add({ lost })
    after = last
  }
}

/** Sizes come from one listing: nothing is asked for each blob, and nothing of its bytes is read. */
async function noteBlobs({ catalog, store }: Ground, total: Total, signal: AbortSignal) {
  for await (const blobs of inHandfuls(store.list(), 5000)) {
    signal.throwIfAborted()
    await catalog.transaction(({ restoration }) => restoration.note(blobs))
    total.add({ blobs: blobs.length })
  }
}

function isFull(pending: readonly Stated[]): boolean {
  const needs = pending.reduce((sum, each) => sum + (each.needs?.length ?? 0), 0)
  return pending.length >= handful || needs >= mostNeeds
}

/** One transaction: what a manifest needs is known with it, so that nobody ever takes it for unneeded. */
async function restore(all: readonly Stated[], ground: Ground, total: Total): Promise<void> {
  if (all.length === 0) return
  const isFirst = total.findings.added.images === 0
  const added = await ground.catalog.transaction(async (tables) => {
    const sizes = await tables.restoration.sizes(all.flatMap(digestsOf))
    const images = await restoreImages(all, sizes, tables, { now: ground.now(), isFirst })
    const kept = all.filter(({ image }) => image === null || !images.apart.has(image.name))
    const rows = await tables.restoration.manifests(kept.map(restoredOf), sizes)
    const tags = await tables.restoration.tags(kept.flatMap(tagOf))
    return { added: { ...rows, tags, images: images.added }, lost: images.lost }
  })
  total.add({ ...counts(all), ...added })
}

function restoredOf({ repository, manifest, needs, reference }: Stated): Restored {
  return { repository, manifest, needs: needs ?? [], reference }
}

function tagOf({ repository, tag, manifest: { digest } }: Stated) {
  return tag === null ? [] : [{ repository, name: tag, digest }]
}

function digestsOf({ manifest, needs }: Stated) {
  return [manifest, ...(needs ?? [])].map(({ digest }: Sized) => digest)
}

/** An image is counted as that, and neither as a tag nor as a manifest. */
function counts(all: readonly Stated[]) {
  const pushed = all.filter(({ image }) => image === null)
  const manifests = pushed.filter(({ tag }) => tag === null)
  return {
    images: all.length - pushed.length,
    manifests: manifests.length,
    tags: pushed.length - manifests.length,
    missing: manifests.filter(({ needs }) => needs === null).length,
  }
}

const nothing: Findings = {
  blobs: 0,
  images: 0,
  manifests: 0,
  tags: 0,
  added: { images: 0, manifests: 0, tags: 0, blobs: 0, references: 0 },
  lost: 0,
  missing: 0,
  unreadable: 0,
  examples: [],
}

/** Adds up, and tells how far it is. */
class Total {
  readonly #report: Ground['report']
  findings = nothing

  constructor(report: Ground['report']) {
    this.#report = report
  }

  add(more: Partial<Findings>): void {
    const { findings: before } = this
    const { added, examples, ...rest } = { ...nothing, ...more }
    this.findings = {
      ...sums(before, rest),
      added: sums(before.added, added),
      examples: [...before.examples, ...examples].slice(0, mostExamples),
    }
    this.#report(this.findings)
  }
}

function sums<Numbers extends { readonly [name in keyof Numbers]: number }>(
  a: Numbers,
  b: Numbers,
): Numbers {
  const all = { ...a }
  for (const name in b) Object.assign(all, { [name]: a[name] + b[name] })
  return all
}
