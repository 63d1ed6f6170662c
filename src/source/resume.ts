import type { Outage } from '../errors.ts'
import { unavailable } from './breaks.ts'
import type { Extent } from './body.ts'
import type { Answer } from './exchange.ts'
import type { Resume } from './source.ts'

/** The headers that ask for the rest, provided that the bytes are the same (RFC 9110 sections 13.1.5 and 14.2). */
export function rangeHeaders(from: Resume | null): Readonly<Record<string, string>> {
  if (!from || from.offset === 0) return {}
  const range = `bytes=${from.offset}-`
  return from.version === null ? { range } : { range, 'if-range': from.version }
}

/** What makes two answers the same bytes: a strong ETag, else a strong Last-Modified; null when there is neither. */
export function versionOf(answer: Answer): string | null {
  const etag = answer.field('etag')
  return etag?.startsWith('"') ? etag : strongDate(answer)
}

/** A file may change twice in the second that a date names; once that is over, it says more (RFC 9110 section 8.8.2.2). */
function strongDate(answer: Answer): string | null {
  const modified = answer.field('last-modified')
  const age = Date.parse(answer.field('date') ?? '') - Date.parse(modified ?? '')
  return age >= 1000 ? modified : null
}

/**
 * Which part of the file an answer carries.
 * @throws Outage SOURCE_UNAVAILABLE when a 206 is not the part that was asked for
 */
export function extentOf(answer: Answer, from: Resume | null): Extent {
  if (answer.status !== 206) return { offset: 0, size: contentLength(answer) }
  const offset = from?.offset ?? 0
  const part = partOf(answer)
  if (part?.offset !== offset || !isVersion(answer, from?.version ?? null)) throw lie(offset)
  return { offset, size: part.size }
}

/** From `offset` to before `end`, of a file of `size`. */
export type Part = { readonly offset: number; readonly end: number; readonly size: number }

/** Which part of the file a 206 says it carries; null when that cannot be. */
export function partOf(answer: Answer): Part | null {
  const [, first, last, whole] =
    /^bytes (\d+)-(\d+)\/(\d+)$/i.exec(answer.field('content-range') ?? '') ?? []
  if (whole === undefined) return null
  const [offset, end, size] = [Number(first), Number(last) + 1, Number(whole)]
  const length = contentLength(answer) ?? end - offset
  return offset < end && end <= size && length === end - offset ? { offset, end, size } : null
}

/**
 * Whether a 206 tells enough for its bytes to be put behind others: the ETag, where there is one, which it has to tell, and
 * the length of the whole.
 */
export function isProven(answer: Answer, version: string): boolean {
  const isSilent = version.startsWith('"') && answer.field('etag') === null
  return !isSilent && answer.field('content-range')?.endsWith('/*') !== true
}

/** A 206 may leave out what the client knows already (RFC 9110 section 15.3.7), but may not differ from it. */
export function isVersion(answer: Answer, version: string | null): boolean {
  if (version === null) return true
  const given = answer.field(version.startsWith('"') ? 'etag' : 'last-modified')
  return given === null || given === version
}

export function contentLength(answer: Answer): number | null {
  const value = answer.field('content-length')
  return value !== null && /^\d+$/.test(value) ? Number(value) : null
}

export function lie(offset: number): Outage {
  return unavailable(
    `the source was asked for its bytes from ${offset} and answered 206 with others`,
  )
}
