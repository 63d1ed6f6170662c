import type { Readable } from 'node:stream'
import type { Digest } from '../image/digest.ts'
import type { Patience } from './registry/patience.ts'
import type { Part, BlobPart, ReadHeld } from './registry/registry.ts'
import type { Tally } from './tally.ts'

/**
 * A kind of place images come from. A source opens and says what it opened; it does not retry, hash, inspect or buffer.
 */
export interface Source {
  /**
   * Checks a section of a data source and opens nothing.
   * @throws Refusal INVALID_REQUEST, SOURCE_FORBIDDEN
   */
  at(section: unknown): Place
}

export interface Place {
  /** Safe to log and to show: no credentials, no query. */
  readonly label: string
  /**
   * Opens the bytes, from the start or from where an earlier opening stopped. `tally` hears of every byte that comes, also
   * of those that are passed over.
   * @throws Refusal SOURCE_REFUSED, SOURCE_FORBIDDEN (final); Outage SOURCE_UNAVAILABLE (may be tried again)
   */
  open(from: Resume | null, signal: AbortSignal, tally?: Tally): Promise<Opened>
  /**
   * As `open` from the start, unless the source says that it has no other bytes than those that are known: null then. What
   * it gives instead is the answer to the same request.
   */
  openUnlessSame?(known: Validators, signal: AbortSignal, tally?: Tally): Promise<Opened | null>
  /**
   * Where bytes have digests for names: what there is, before any of them is fetched.
   * @throws as `open`; Flaw INVALID_OCI
   */
  resolve?(signal: AbortSignal): Promise<Resolved>
}

export type Resolved = {
  readonly facts: SourceFacts
  /** The layer, when there is only one and it may be one of ours. */
  readonly sole: BlobPart | null
  /** Whether this very service holds it. */
  readonly isOwn: boolean
  /**
   * Opens the disk, from the start or from where an earlier opening stopped. What that one gave is read again and verified
   * with the rest.
   */
  open(from: Kept | null, signal: AbortSignal, listener?: Listener): Promise<Opened>
}

/** The first `offset` bytes, which an earlier opening gave, are here; `read` gives them again. */
export type Kept = {
  readonly offset: number
  readonly version: string
  readonly read: ReadHeld
}

export type Listener = {
  readonly tally: Tally
  /** Decides how long a connection that broke is tried again. */
  readonly patience?: Patience
}

/**
 * `version` is what makes two openings the same bytes: an ETag, a digest. Whoever stores what comes needs one; a look at a
 * part may do without (null).
 */
export type Resume = { readonly offset: number; readonly version: string | null }

/** What a source told of bytes that it gave before. */
export type Validators = {
  /** Where they came from in the end, as it is shown. */
  readonly url: string
  /** A strong one. */
  readonly etag: string | null
  readonly lastModified: string | null
}

export type Opened = {
  /**
   * Fails with an Outage SOURCE_UNAVAILABLE when the connection breaks or ends before `size`, never with a bare
   * socket error; ends only when all bytes were given.
   */
  readonly body: Readable
  /** Bytes of the whole file, null when the source does not tell. */
  readonly size: number | null
  /** Where `body` begins; 0 unless a resume was granted. */
  readonly offset: number
  /** Null when no later opening can go on in the middle. */
  readonly version: string | null
  /** What the status tells under `source`; safe to show. */
  readonly facts: SourceFacts
  /** Of a container image. */
  readonly contents?: ImageContents
}

export type ImageContents = {
  /** The manifest of the platform. */
  readonly manifest: BlobPart & { readonly mediaType: string }
  /** The lowest first. */
  readonly layers: readonly Part[]
  /** The disk's name in its layer, or the title of a disk that is in no tar; null when it has none. */
  readonly file: string | null
}

export type SourceFacts = {
  readonly url?: string
  /** A container image, in full: `docker.io/library/disk:latest`. */
  readonly image?: string
  /** Of the manifest or index that the reference resolved to. */
  readonly digest?: Digest
  /** `linux/amd64`. */
  readonly platform?: string
  readonly etag?: string
  readonly lastModified?: string
}
