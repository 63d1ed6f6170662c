import { randomUUID } from 'node:crypto'
import type { Catalog, Tables } from '../catalog/catalog.ts'
import type { Requester } from '../catalog/notepad.ts'
import { Refusal } from '../errors.ts'
import type { Digest } from '../image/digest.ts'
import type { ManifestDocument } from '../image/document.ts'
import type { Store } from '../store/store.ts'
import type { Collector } from './collect.ts'
import { Freed } from './freed.ts'
import { InTurn } from '../store/in-turn.ts'
import { assertNeeds } from './needs.ts'
import { gone, put, reserve } from './publish.ts'
import { leaseFor } from './shelve.ts'
import { arrived } from './soundness.ts'
import { PushedRecords } from './pushed-records.ts'
import { manifestKey, pushedTagKey, recordOf } from './tag-record.ts'

export type RepositoryOptions = {
  readonly catalog: Catalog
  readonly store: Store
  readonly collector: Collector
  readonly now: () => number
}

/** A manifest that a client pushes, with its bytes. */
export type Pushed = {
  readonly digest: Digest
  readonly bytes: Buffer
  readonly document: ManifestDocument
  readonly tags: readonly string[]
  readonly by?: Requester
}

/** A blob that a client is known to count on is leased again when less than this is left, in milliseconds. */
const renewBelow = leaseFor / 2
/** Repositories that are looked at for one that a caller may read. */
const most = 1000

/**
 * What clients do to repositories. The catalog's transaction decides, the records follow it: what was answered is in both,
 * and what a crash has left between them is made up for at the next start.
 */
export class Repositories {
  readonly #options: RepositoryOptions
  readonly #inTurn = new InTurn()
  readonly #freed: Freed
  readonly #records: PushedRecords

  constructor(options: RepositoryOptions) {
    this.#options = options
    this.#freed = new Freed(options.now)
    this.#records = new PushedRecords(options)
  }

  /**
   * Takes a manifest with all its tags, or with none of them.
   * @throws Refusal MANIFEST_BLOB_UNKNOWN, SIZE_INVALID
   */
  async put(repository: string, pushed: Pushed, signal: AbortSignal): Promise<void> {
    const { catalog, store } = this.#options
    const { digest, bytes, document } = pushed
    await assertNeeds(repository, document.needs, catalog.read, store)
    const holder = randomUUID()
    await reserve(holder, [{ digest, size: bytes.length }], this.#options)
    try {
      await put(bytes, store, signal, digest)
      await this.#inTurn.run(repository, async () => {
        const keys = keysOf(repository, pushed)
        await catalog.transaction(async (tables) => {
          await link(repository, pushed, holder, tables)
          await this.#records.announce(tables, keys)
        }, pushed.by)
        await this.#records.follow(keys)
      })
    } catch (error) {
      await this.#options.collector.abandon(holder)
      throw error
    }
  }

  /**
   * Removes a manifest and all its tags, and frees what only it needed.
   * @returns false when it is not there
   * @throws Refusal IN_USE while an index of the repository lists it
   */
  async remove(repository: string, digest: Digest, by?: Requester): Promise<boolean> {
    const { catalog, collector } = this.#options
    const removed = await this.#inTurn.run(repository, async () => {
      const gone = await catalog.transaction(async (tables) => {
        const { manifests } = tables
        const user = await manifests.user(repository, digest)
        if (user) throw inUse(`the manifest ${digest}`, user)
        const gone = await manifests.remove(repository, digest)
        if (!gone) return null
        const keys = keysOf(repository, { digest, tags: gone.tags })
        await this.#records.announce(tables, keys)
        return { needs: gone.needs, keys }
      }, by)
      if (gone) await this.#records.follow(gone.keys)
      return gone
    })
    if (!removed) return false
    this.#freed.add(repository, removed.needs)
    await collector.collect(removed.needs)
    return true
  }

  /** Lets records follow the catalog that the store did not take at their time. */
  async catchUp(): Promise<void> {
    for (const key of await this.#records.behind()) {
      const repository = recordOf(key)?.repository ?? key
      await this.#inTurn.run(repository, () => this.#records.follow([key]))
    }
  }

  /** Removes a tag; the manifest stays. */
  async untag(repository: string, tag: string, by?: Requester): Promise<boolean> {
    const { catalog } = this.#options
    const keys = [pushedTagKey(repository, tag)]
    return await this.#inTurn.run(repository, async () => {
      const wasThere = await catalog.transaction(async (tables) => {
        const wasThere = await tables.manifests.untag(repository, tag)
        if (wasThere) await this.#records.announce(tables, keys)
        return wasThere
      }, by)
      if (wasThere) await this.#records.follow(keys)
      return wasThere
    })
  }

  /**
   * Ends what keeps a blob in a repository.
   * @returns false when the repository does not have it
   * @throws Refusal IN_USE while a manifest needs it
   */
  async removeBlob(repository: string, digest: Digest): Promise<boolean> {
    const { catalog, collector } = this.#options
    const wasThere = await catalog.transaction(async ({ manifests, leases, holdings }) => {
      if (!(await holdings.holds(repository, digest))) return false
      const user = await manifests.user(repository, digest)
      if (user ?? (await manifests.byDigest(repository, digest))) {
        throw inUse(`the blob ${digest}`, user ?? digest)
      }
      return await leases.endAll(repository, digest)
    })
    if (wasThere) await collector.collect([digest])
    return this.#freed.take(repository, digest) || wasThere
  }

  /**
   * Lets a repository have a blob that another one holds, without its bytes moving.
   * @param from the repository that should have it; any other one will do, too
   * @param mayRead which repositories the caller may read
   * @returns false when none of them has it, whole
   */
  async mount(
    repository: string,
    digest: Digest,
    from: string | null,
    mayRead: (repository: string) => boolean,
  ): Promise<boolean> {
    const { catalog, store } = this.#options
    const there = await store.stat(digest)
    if (!there) return false
    return await catalog.transaction(async ({ holdings, leases }) => {
      const holders = await holdings.repositoriesWith(digest, most)
      const isHere = from !== null && (await holdings.blobSize(from, digest)) !== null
      const readable = (isHere ? [from, ...holders] : holders).find(mayRead)
      const size = readable === undefined ? null : await holdings.blobSize(readable, digest)
      if (size !== there.size) return false
      await leases.grant(digest, randomUUID(), repository, leaseFor)
      await leases.prolong(repository, leaseFor)
      return true
    })
  }

  /**
   * A client that may push is told that a blob is here: it stays until its manifest comes.
   * @returns false when it has just gone
   */
  async promise(repository: string, digest: Digest): Promise<boolean> {
    const { catalog, now } = this.#options
    const end = await catalog.read.leases.promisedUntil(digest, repository)
    if ((end ?? 0) - now() > renewBelow) return true
    return await catalog.transaction(async ({ holdings, leases }) => {
      if ((await holdings.blobSize(repository, digest)) === null) return false
      await leases.promise(digest, repository, leaseFor)
      return true
    })
  }
}

function keysOf(
  repository: string,
  { digest, tags }: { readonly digest: Digest; readonly tags: readonly string[] },
): readonly string[] {
  return [manifestKey(repository, digest), ...tags.map((tag) => pushedTagKey(repository, tag))]
}

async function link(repository: string, pushed: Pushed, holder: string, tables: Tables) {
  const { digest, bytes, document, tags } = pushed
  const { mediaType, needs, subject, artifactType, annotations } = document
  const manifest = { digest, mediaType, size: bytes.length }
  await assertNeeds(repository, needs, tables, null)
  if (!(await arrived(digest, tables))) throw gone(digest)
  const digests = [...new Set(needs.map((need) => need.digest))]
  const reference = subject && { subject, artifactType, annotations }
  const before = await tables.manifests.byDigest(repository, digest)
  if (before && before.mediaType !== mediaType) throw otherType(before.mediaType, mediaType)
  await tables.manifests.put(repository, manifest, digests, reference)
  for (const tag of tags) await tables.manifests.tag(repository, tag, digest)
  // What comes again used its leases when it came first: those that are left are somebody else's.
  if (!before) await tables.leases.use(repository, [digest, ...digests])
  else await tables.leases.keepPromises(repository, [digest, ...digests])
  await tables.blobs.endLeases(holder)
}

function otherType(before: string, now: string): Refusal {
  return new Refusal(
    'MANIFEST_INVALID',
    `these bytes are here as ${before}, and cannot be ${now} as well; delete that manifest first`,
  )
}

function inUse(what: string, user: string): Refusal {
  return new Refusal(
    'IN_USE',
    `${what} is used by the manifest ${user} of this repository; delete that one first`,
  )
}
