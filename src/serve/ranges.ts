import type { ByteRange } from '../store/store.ts'

/** More ranges than a client can have reason to ask for in one request. */
const most = 64

/**
 * The ranges of a `Range` header over `size` bytes (RFC 9110 section 14): `null` when the header is to be ignored (another
 * unit, bad syntax, too many ranges, more bytes than the whole has), an empty list when none of them can be satisfied (416).
 */
export function parseRanges(header: string | undefined, size: number): ByteRange[] | null {
  const list = /^bytes=(.+)$/i.exec(header?.trim() ?? '')?.[1]?.split(',')
  if (!list || list.length > most) return null
  const ranges: ByteRange[] = []
  for (const text of list) {
    const range = parseRange(text.trim(), size)
    if (range === 'bad') return null
    if (range) ranges.push(range)
  }
  const sum = ranges.reduce((total, { start, end }) => total + end - start + 1, 0)
  return sum > size ? null : ranges
}

function parseRange(text: string, size: number): ByteRange | null | 'bad' {
  const [, first, last] = /^(\d{0,16})-(\d{0,16})$/.exec(text) ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'bad'
  if (first === '') return suffix(Number(last), size)
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  // RFC 9110 leaves it to the server; the specification's conformance program wants 416.
  if (last !== '' && Number(last) < start) return null
  return start < size ? { start, end } : null
}

function suffix(length: number, size: number): ByteRange | null {
  return length > 0 && size > 0 ? { start: Math.max(0, size - length), end: size - 1 } : null
}

export function contentRange({ start, end }: ByteRange, size: number): string {
  return `bytes ${start}-${end}/${size}`
}
