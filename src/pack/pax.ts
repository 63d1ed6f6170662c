import { fitsOctal } from './tar-header.ts'

/**
 * PAX records of exactly `length` bytes for the file that follows (POSIX.1-2017, pax, "pax Extended Header"). `size` is
 * there only when the octal field cannot say it; a comment, which readers must ignore, fills up.
 */
export function paxRecords(fileSize: number, length: number): Buffer {
  const size = fitsOctal(fileSize) ? '' : paxRecord('size', String(fileSize))
  return Buffer.from(size + filler(length - size.length), 'ascii')
}

/** The size that records of ours begin with, null when they do not. */
export function paxSizeOf(records: Buffer): number | null {
  const [, size] = /^\d+ size=(\d{1,15})\n/.exec(records.toString('ascii', 0, 32)) ?? []
  return size === undefined ? null : Number(size)
}

function filler(length: number): string {
  const frame = `${length} comment=\n`.length
  return paxRecord('comment', '.'.repeat(length - frame))
}

/** A record begins with its own length, which counts the digits it is written in. */
function paxRecord(keyword: string, value: string): string {
  const rest = ` ${keyword}=${value}\n`
  const digits = String(rest.length + String(rest.length).length).length
  return `${rest.length + digits}${rest}`
}
