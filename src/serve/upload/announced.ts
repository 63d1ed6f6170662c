import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Refusal } from '../../errors.ts'
import type { Announced } from '../../work/upload-door.ts'
import { lengthOf } from '../request-body.ts'
import { digestField, tusChecksum } from './digests.ts'

/**
 * What a PUT or a POST says of its body: the whole file; the rest of it, as curl -C says it (RFC 9110 section 14.4); or its
 * beginning (`Upload-Complete: ?0`, the draft on resumable uploads).
 * @throws Refusal RANGE_NOT_SATISFIABLE, INVALID_REQUEST
 */
export function announcedFile(incoming: IncomingMessage): Announced {
  const { headers } = incoming
  const length = lengthOf(incoming)
  const ofContent = digestField('Content-Digest', field(headers, 'content-digest'))
  const checksums = digestField('Repr-Digest', field(headers, 'repr-digest'))
  if (headers['content-range'] !== undefined) {
    const { start, end, total, isWhole } = partOf(headers['content-range'], length)
    const both = isWhole ? { ...ofContent, ...checksums } : checksums
    const ofPart = isWhole ? {} : ofContent
    const exactly = { length: end - start + 1, start, total, isExact: false }
    return { ...exactly, isLast: false, checksums: both, ofPart }
  }
  const isLast = isComplete(headers) ?? true
  const told = number(headers, 'upload-length')
  return {
    length,
    start: null,
    isExact: false,
    total: told ?? (isLast ? length : null),
    isLast,
    checksums: isLast ? { ...ofContent, ...checksums } : checksums,
    ofPart: isLast ? {} : ofContent,
  }
}

/**
 * What a PATCH says of its body, in the words of tus 1.0 or of the draft on resumable uploads.
 * @throws Refusal UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST
 */
export function announcedPart(incoming: IncomingMessage): Announced & { readonly isTus: boolean } {
  const { headers } = incoming
  const isTus = headers['content-type'] === 'application/offset+octet-stream'
  if (!isTus && headers['content-type'] !== 'application/partial-upload') {
    throw new Refusal(
      'UNSUPPORTED_MEDIA_TYPE',
      'a PATCH is application/offset+octet-stream (tus 1.0) or application/partial-upload (resumable uploads)',
    )
  }
  const start = number(headers, 'upload-offset')
  if (start === null) throw unreadable('Upload-Offset', 'how many bytes went before')
  const length = lengthOf(incoming)
  const isLast = !isTus && (isComplete(headers) ?? false)
  const told = isTus ? null : number(headers, 'upload-length')
  return {
    isTus,
    length,
    start,
    isExact: true,
    total: told ?? (isLast && length !== null ? start + length : null),
    isLast,
    checksums: digestField('Repr-Digest', field(headers, 'repr-digest')),
    ofPart: {
      ...digestField('Content-Digest', field(headers, 'content-digest')),
      ...(isTus && tusChecksum(field(headers, 'upload-checksum'))),
    },
  }
}

/**
 * What a POST of tus says of the file that is to come (tus 1.0, "Creation").
 * @throws Refusal INVALID_REQUEST
 */
export function announcedCreation(incoming: IncomingMessage): Announced {
  const total = number(incoming.headers, 'upload-length')
  if (total === null) throw unreadable('Upload-Length', 'the bytes of the file')
  if (lengthOf(incoming) !== 0) {
    throw new Refusal(
      'INVALID_REQUEST',
      'bytes come by PATCH, not with the creation; the extension creation-with-upload is not offered',
    )
  }
  const nothing = { checksums: {}, ofPart: {}, isExact: false, isLast: false }
  return { ...nothing, length: null, start: null, total }
}

/** `Upload-Complete`, a boolean of structured fields (RFC 9651 section 3.3.6); null when it is not there. */
function isComplete(headers: IncomingHttpHeaders): boolean | null {
  const value = field(headers, 'upload-complete')
  if (value === undefined) return null
  if (value === '?1' || value === '?0') return value === '?1'
  throw unreadable('Upload-Complete', '?0 or ?1')
}

function number(headers: IncomingHttpHeaders, name: string): number | null {
  const value = field(headers, name)
  if (value === undefined) return null
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw unreadable(name, 'a number of bytes')
}

function field(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

function partOf(range: string, length: number | null) {
  const [, first, last, all] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(range) ?? []
  const [start, end, total] = [Number(first), Number(last), Number(all)]
  const isSound = all !== undefined && end < total && start <= end
  if (isSound && (length === null || length === end - start + 1)) {
    return { start, end, total, isWhole: start === 0 && end === total - 1 }
  }
  throw new Refusal(
    'RANGE_NOT_SATISFIABLE',
    'the Content-Range does not fit the body, or does not tell the length of the file; it is "bytes first-last/length", as curl -C sends it',
  )
}

function unreadable(name: string, wanted: string): Refusal {
  return new Refusal('INVALID_REQUEST', `the header ${name} is missing or wrong; it is ${wanted}`)
}
