import type { Readable, Writable } from 'node:stream'
import type { Digest, DigestAlgorithm } from '../image/digest.ts'
import type { Digester } from './digester.ts'

/** Where the bytes rest: blobs by digest, staged bytes by id, and small records by key. */
export interface Store {
  /** Null when the blob is not there. */
  stat(digest: Digest): Promise<Stat | null>
  /**
   * A blob, or a part of it, to be read once; whoever has opened it can read it to its end, even when it is removed.
   * @throws Refusal BLOB_UNKNOWN; Outage STORAGE_UNAVAILABLE when the blob is too short for the range
   */
  open(digest: Digest, range: ByteRange | null, signal: AbortSignal): Promise<Opened>
  stage(options?: StageOptions): Promise<Staging>
  /**
   * What an earlier process staged, or somebody has left, from its durable offset on; null when nothing is left of it.
   * Its bytes are hashed again when more are appended or it is sealed.
   */
  resume(id: string, options?: ResumeOptions): Promise<Staging | null>
  /** Ids of all staged bytes, those of dead processes among them. */
  staged(): Promise<readonly string[]>
  /** Drops staged bytes of a dead process. */
  discard(id: string): Promise<void>
  /** Whether there was something to remove. */
  remove(digest: Digest): Promise<boolean>
  list(): AsyncIterable<Listed>
  /** What lies here since before a time and belongs to nothing: what crashed processes have left half done. */
  strays(before: number): AsyncIterable<Stray>
  /** Bytes that can still be written, null where that cannot be known. */
  free(): Promise<number | null>
  /** @throws Outage STORAGE_UNAVAILABLE when nothing can be read or written at present */
  probe(signal: AbortSignal): Promise<void>
  readonly records: Records
}

/** An extra that some stores have: clients fetch the bytes from where they lie. Found by `isLinker`. */
export interface Linker {
  /**
   * A URL that anyone may read the blob at, in ranges too, for so many milliseconds; null for a blob that does not lie in one
   * piece, has another size, or cannot be reached by clients.
   */
  link(blob: Stat, lifetime: number, signal: AbortSignal): Promise<URL | null>
}

/** An extra of stores that put bytes aside on this machine's disk, those of unknown length among them. Found by `isAside`. */
export interface Aside {
  /** The folder, for people, and the bytes that can still be written there. */
  aside(): Promise<{ readonly folder: string; readonly free: number }>
}

export function isAside(store: object): store is Aside {
  return 'aside' in store
}

export function isLinker(store: object): store is Linker {
  return 'link' in store
}

/** The signal ends a reading that is under way. */
export interface Opened extends AsyncDisposable {
  stream(): Readable
  /** Writes all bytes and does not end the writable; returns how many there were. */
  sendTo(writable: Writable): Promise<number>
}

export type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>

/** Sees each chunk before it is staged; no further one comes before what it returns has been resolved. */
export type Tap = (chunk: Uint8Array) => Promise<void> | null

export type StageOptions = {
  /** What `resume` is asked for; without it one is made up. */
  readonly id?: string
  readonly algorithm?: DigestAlgorithm
  /** The start will be amended, so hashing while the bytes arrive would be in vain. */
  readonly amended?: boolean
  /** Bytes that will have come in the end; null or nothing while nobody can tell. No more than a hint. */
  readonly size?: number | null
}

export type ResumeOptions = {
  readonly algorithm?: DigestAlgorithm
  /** Bytes beyond are cut off. */
  readonly upTo?: number
}

export type Stat = { readonly digest: Digest; readonly size: number }

/** `since` is milliseconds since 1970: when its bytes were written. */
export type Listed = Stat & { readonly since: number }

/** `name` says where it lies, for people; `size` is bytes, 0 where they are not known. */
export type Stray = {
  readonly name: string
  readonly size: number
  readonly since: number
  readonly remove: () => Promise<void>
}

/** Bytes `start` to `end`, both included. */
export type ByteRange = { readonly start: number; readonly end: number }

/**
 * Bytes on their way in. Nothing of them is readable by digest before `publish` resolves. Leaving the scope without
 * `publish` discards them.
 */
export interface Staging extends AsyncDisposable {
  readonly id: string
  /** Bytes appended so far. */
  readonly size: number
  /** Bytes that survive a crash or a power cut; never more than `size`. */
  readonly offset: number
  /**
   * Adds bytes at the end. When it fails, `size` bytes were taken in and no more; a further append goes on there.
   * `digesters` see the same bytes in the same order.
   */
  append(
    body: Bytes,
    signal: AbortSignal,
    digesters?: readonly Digester[],
    tap?: Tap,
  ): Promise<number>
  /** Hashes what was resumed, so that the next `append` takes its first byte at once. */
  catchUp(signal: AbortSignal): Promise<void>
  /** Brings everything to the disk: `offset` is `size` then. Throws when a byte could not be written. */
  flush(): Promise<void>
  /**
   * Brings what came to the disk while `append` waits for more. In S3 parts may be on their way then, and what fills none
   * yet is where it was.
   * @throws what a write has failed with
   */
  keep(): Promise<void>
  /** Writes over bytes at the start that were appended as a placeholder; `seal` then reads everything once more. */
  amend(bytes: Uint8Array): Promise<void>
  /**
   * All bytes are there: tells their digest. They can be read with `read` from now on. Another algorithm than the one
   * they were staged with costs one more read of them.
   */
  seal(signal: AbortSignal, algorithm?: DigestAlgorithm): Promise<Stat>
  /** The bytes from `offset` on; fewer than `length` only at their end. While some are appended, none may be read. */
  read(offset: number, length: number, signal: AbortSignal): Promise<Buffer>
  /**
   * Makes the bytes a blob: synced, verified, visible under their digest all at once, and still there after a power cut.
   * @throws Refusal DIGEST_INVALID when the bytes are not what was expected; they are discarded
   */
  publish(expected: Digest): Promise<Stat>
  discard(): Promise<void>
  /** Lets go of the bytes and leaves what is durable of them to `resume`. */
  leave(): Promise<void>
}

/** Small records by key (`cvi/ubuntu/_tags/latest`): whole or absent, never half written. */
export interface Records {
  put(key: string, bytes: Uint8Array): Promise<void>
  /**
   * Only where nothing has this key yet, whoever else puts something there in the same moment.
   * @returns false when something has it; what that is may be what an earlier try of this call has put, whose answer was lost
   */
  putNew(key: string, bytes: Uint8Array): Promise<boolean>
  read(key: string): Promise<Uint8Array | null>
  remove(key: string): Promise<void>
  list(prefix: string): AsyncIterable<string>
}
