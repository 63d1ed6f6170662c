import { damaged, shown } from './flaws.ts'

/** More than anything has to be said of a member. */
const mostRecords = 1000

const space = 0x20
const newline = 0x0a

/** Those that say what a member is. Said twice, readers may take the one or the other. */
const decisive: ReadonlySet<string> = new Set(['path', 'linkpath', 'size'])

/**
 * Records of `<length> <key>=<value>\n`, the length in decimal and of the whole record (POSIX.1-2017, pax, "pax Extended
 * Header"). Readers stop at a record that is not of that form, or go on in their own ways; here it is refused.
 * @throws Flaw CORRUPT_ARCHIVE
 */
export function paxRecords(data: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0, count = 1; at < data.length; count += 1) {
    if (count > mostRecords) throw malformed(`more than ${mostRecords}`)
    const length = lengthAt(data, at)
    const [key, value] = keyAndValue(data.subarray(at, at + length))
    if (decisive.has(key) && records.has(key)) throw malformed(`"${key}" twice`)
    if (decisive.has(key) && (value === '' || value.includes('\0'))) throw malformed(`no "${key}"`)
    records.set(key, value)
    at += length
  }
  return records
}

function lengthAt(data: Buffer, at: number): number {
  const end = data.indexOf(space, at)
  const digits = data.toString('latin1', at, Math.min(end, at + 8))
  const length = /^[1-9]\d*$/.test(digits) ? Number(digits) : Number.NaN
  if (end >= 0 && at + length <= data.length && data[at + length - 1] === newline) return length
  throw malformed('a length that is not that of the record')
}

function keyAndValue(record: Buffer): readonly [string, string] {
  const text = record.toString('utf8', record.indexOf(space) + 1, record.length - 1)
  const equals = text.indexOf('=')
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)]
  throw malformed('a record without a key')
}

/** @throws Flaw CORRUPT_ARCHIVE */
export function paxSize(value: string): number {
  const size = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (Number.isSafeInteger(size)) return size
  throw malformed(`"${shown(value)}" as size`)
}

function malformed(what: string) {
  return damaged(`its PAX records are malformed: they have ${what}`)
}
