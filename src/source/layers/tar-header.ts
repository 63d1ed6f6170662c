import { damaged } from './flaws.ts'

export const blockSize = 512

export type Header = {
  /** The character at offset 156. */
  readonly flag: string
  readonly name: string
  /** Bytes that follow, without their padding. */
  readonly size: number
  readonly linkname: string
}

/** The two that have a magic, and what came before, which has none. */
const ustar = 'ustar\x0000'
const gnu = 'ustar  \0'
const v7 = '\0'.repeat(8)

/**
 * One header (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar, "Basic Tar Format"). Text ends with NUL or with its
 * field. Numbers are octal, or binary with the highest bit set.
 *
 *     offset  bytes  field
 *          0    100  name
 *        124     12  size
 *        148      8  checksum
 *        156      1  typeflag
 *        157    100  linkname
 *        257      8  magic and version
 *        345    155  prefix of the name; in ustar only, GNU keeps times there
 *
 * @param position of the block, for messages
 * @throws Flaw CORRUPT_ARCHIVE
 */
export function tarHeader(block: Buffer, position: number): Header {
  if (!isSound(block)) throw noHeader(position)
  const size = number(block.subarray(124, 136))
  if (size === null) throw damaged(`the size in the header at byte ${position} is no number`)
  const prefix = magicOf(block) === ustar ? text(block.subarray(345, 500)) : ''
  const name = text(block.subarray(0, 100))
  return {
    flag: block.toString('latin1', 156, 157),
    name: prefix === '' ? name : `${prefix}/${name}`,
    size,
    linkname: text(block.subarray(157, 257)),
  }
}

/** Whether a block has the magic and the checksum of a header. */
export function isSound(block: Buffer): boolean {
  const isKnown = [ustar, gnu, v7].includes(magicOf(block))
  return isKnown && octal(block.subarray(148, 156)) === checksum(block)
}

function magicOf(block: Buffer): string {
  return block.toString('latin1', 257, 265)
}

function noHeader(position: number) {
  if (position === 0) return damaged('it is no tar, whatever its media type says')
  return damaged(`it is damaged: no sound header begins at byte ${position}`)
}

/** UTF-8 up to the first NUL. */
export function text(field: Buffer): string {
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end < 0 ? field.length : end)
}

/** The sum of all bytes, the checksum's own eight counted as spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20
  for (let at = 0; at < 148; at += 1) sum += block[at] ?? 0
  for (let at = 156; at < blockSize; at += 1) sum += block[at] ?? 0
  return sum
}

/** Null when it is no number, or none that a file can have as its size. */
function number(field: Buffer): number | null {
  if (field[0] !== 0x80) return octal(field)
  const value = BigInt(`0x${field.toString('hex', 1)}`)
  return value <= Number.MAX_SAFE_INTEGER ? Number(value) : null
}

/** Nothing counts as 0. Anything beside digits, blanks before and blanks behind them is read in many ways. */
function octal(field: Buffer): number | null {
  const digits = /^ *([0-7]*)[ \0]*$/.exec(field.toString('latin1'))?.[1]
  return digits === undefined ? null : Number(`0o0${digits}`)
}
