import { randomUUID } from 'node:crypto'
import { open, readdir, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errno, Outage, Refusal } from '../errors.ts'
import { algorithmOf, hexOf, isDigest, type Digest, type DigestAlgorithm } from '../image/digest.ts'
import { FileBody } from './file-body.ts'
import { FilesystemRecords } from './filesystem-records.ts'
import { FilesystemStaging } from './filesystem-staging.ts'
import { makeFolders, syncFolder } from './folders.ts'
import { strayAt } from './filesystem-strays.ts'
import type {
  ByteRange,
  Listed,
  Opened,
  ResumeOptions,
  StageOptions,
  Staging,
  Stat,
  Store,
  Stray,
} from './store.ts'

/**
 * Blobs as `blobs/<algorithm>/<first two hex>/<hex>`, staged bytes as `staging/<id>/`, records under `repositories/`.
 * All three must lie on one filesystem: a blob is published by a rename.
 */
export class FilesystemStore implements Store, AsyncDisposable {
  readonly #blobs: string
  readonly #staging: string
  readonly records: FilesystemRecords

  private constructor(folder: string) {
    this.#blobs = join(folder, 'blobs')
    this.#staging = join(folder, 'staging')
    this.records = new FilesystemRecords(join(folder, 'repositories'))
  }

  static async open(folder: string): Promise<FilesystemStore> {
    const store = new FilesystemStore(folder)
    await makeFolders(store.#blobs)
    await makeFolders(store.#staging)
    await store.records.sweep()
    return store
  }

  /**
   * A folder that another process may be writing to, to read from it: nothing in it is tidied.
   * @throws Refusal when it is none
   */
  static async beside(folder: string): Promise<FilesystemStore> {
    const store = new FilesystemStore(folder)
    if (await orNull(stat(store.#blobs))) return store
    throw new Refusal('UNSUPPORTED', `${folder} is no data folder: there is no folder blobs in it`)
  }

  async stat(digest: Digest): Promise<Stat | null> {
    const found = await orNull(stat(this.#path(digest)))
    return found && { digest, size: found.size }
  }

  async open(digest: Digest, range: ByteRange | null, signal: AbortSignal): Promise<Opened> {
    signal.throwIfAborted()
    const file = await orNull(open(this.#path(digest), 'r'))
    if (!file) throw new Refusal('BLOB_UNKNOWN', `the blob ${digest} is not here`)
    try {
      const { size } = await file.stat()
      const { start, end } = range ?? { start: 0, end: size - 1 }
      if (end >= size) throw tooShort(digest, size, end + 1)
      return new FileBody(file, { start, end }, signal)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  async stage(options: StageOptions = {}): Promise<Staging> {
    const { id = randomUUID(), algorithm = 'sha256', amended = false } = options
    const rest = { ...this.#rest(algorithm), amended }
    // A crash may have left a folder in which nothing is to be resumed.
    if (options.id !== undefined) await this.discard(id)
    return await FilesystemStaging.create(this.#staging, id, rest)
  }

  async resume(id: string, options: ResumeOptions = {}): Promise<Staging | null> {
    const { algorithm = 'sha256', upTo = Infinity } = options
    return await orNull(FilesystemStaging.reopen(this.#staging, id, upTo, this.#rest(algorithm)))
  }

  async staged(): Promise<readonly string[]> {
    return await readdir(this.#staging)
  }

  async discard(id: string): Promise<void> {
    await rm(join(this.#staging, id), { recursive: true, force: true })
    // What is dropped must not come back after a power cut, when other bytes have taken its place.
    await syncFolder(this.#staging)
  }

  async remove(digest: Digest): Promise<boolean> {
    const path = this.#path(digest)
    const removed = await orNull(rm(path).then(() => true))
    if (removed) await syncFolder(dirname(path))
    return removed ?? false
  }

  async *list(): AsyncIterable<Listed> {
    for await (const { path, digest } of this.#files()) {
      const found = digest && (await orNull(stat(path)))
      if (digest && found) yield { digest, size: found.size, since: found.mtimeMs }
    }
  }

  /** Files among the blobs that are none, and records that were not finished; what is staged is asked for by `staged`. */
  async *strays(before: number): AsyncIterable<Stray> {
    for await (const { path, digest } of this.#files()) {
      const found = digest ? null : await orNull(stat(path))
      if (found && found.mtimeMs < before) yield strayAt(path, found)
    }
    yield* this.records.strays(before)
  }

  async *#files() {
    for (const algorithm of await readdir(this.#blobs)) {
      for (const shard of await readdir(join(this.#blobs, algorithm))) {
        const folder = join(this.#blobs, algorithm, shard)
        for (const hex of await readdir(folder)) {
          const digest = `${algorithm}:${hex}`
          yield { path: join(folder, hex), digest: isDigest(digest) ? digest : null }
        }
      }
    }
  }

  async free(): Promise<number | null> {
    const { bavail, bsize } = await statfs(this.#blobs)
    return bavail * bsize
  }

  async probe(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (await orNull(statfs(this.#blobs))) return
    throw new Outage(
      'STORAGE_UNAVAILABLE',
      'the folder of the blobs is not there; see that the disk is mounted, then start the service again',
    )
  }

  /** It keeps nothing open. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }

  #rest(algorithm: DigestAlgorithm) {
    return { algorithm, amended: false, blobPath: (digest: Digest) => this.#path(digest) }
  }

  #path(digest: Digest): string {
    const hex = hexOf(digest)
    return join(this.#blobs, algorithmOf(digest), hex.slice(0, 2), hex)
  }
}

function tooShort(digest: Digest, size: number, wanted: number): Outage {
  return new Outage(
    'STORAGE_UNAVAILABLE',
    `the blob ${digest} has ${size} bytes where ${wanted} were stored; delete the image and create it again`,
  )
}

/** Null for a file that is not there; every other error stays one. */
async function orNull<Value>(work: Promise<Value>): Promise<Value | null> {
  try {
    return await work
  } catch (error) {
    if (errno(error) === 'ENOENT') return null
    throw error
  }
}
