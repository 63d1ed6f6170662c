import type { Readable } from 'node:stream'

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
   * Opens the bytes, from the start or from where an earlier opening stopped.
   * @throws Refusal SOURCE_REFUSED, SOURCE_FORBIDDEN (final); Outage SOURCE_UNAVAILABLE (may be tried again)
   */
  open(from: Resume | null, signal: AbortSignal): Promise<Opened>
}

/**
 * `version` is what makes two openings the same bytes: an ETag, a digest. Whoever stores what comes needs one; a look at a
 * part may do without (null).
 */
export type Resume = { readonly offset: number; readonly version: string | null }

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
  readonly version: string | null
  /** What the status tells under `source`; safe to show. */
  readonly facts: SourceFacts
}

export type SourceFacts = {
  readonly url?: string
  readonly etag?: string
  readonly lastModified?: string
}
