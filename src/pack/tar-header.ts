/** One unit of a tar: every header, and every file rounded up. */
export const blockSize = 512

/** Largest size that the octal field can say: 11 digits, one byte below 8 GiB. */
const largestOctal = 0o77777777777

/** qemu's user and group in KubeVirt and in the distributions; a containerDisk is read by it. */
const owner = 107

export type TarEntry = {
  readonly name: string
  readonly type: keyof typeof typeFlags
  readonly mode: number
  /** Bytes that follow the header. */
  readonly size: number
}

const typeFlags = { file: '0', directory: '5', pax: 'x' } as const

export function fitsOctal(size: number): boolean {
  return size <= largestOctal
}

/**
 * One ustar header (POSIX.1-2017, pax, "ustar Interchange Format"). Text is ASCII and ends with NUL, numbers are octal.
 *
 *     offset  bytes  field     here
 *          0    100  name
 *        100      8  mode
 *        108      8  uid       107
 *        116      8  gid       107
 *        124     12  size      0 when it does not fit; the PAX record says it
 *        136     12  mtime     0
 *        148      8  chksum    6 digits, NUL, space
 *        156      1  typeflag  0 file, 5 directory, x PAX records
 *        157    100  linkname  empty
 *        257      6  magic     "ustar" NUL
 *        263      2  version   "00"
 *        265     32  uname     empty
 *        297     32  gname     empty
 *        329      8  devmajor  0
 *        337      8  devminor  0
 *        345    155  prefix    empty
 *        500     12  padding
 */
export function tarHeader(entry: TarEntry): Buffer {
  const header = Buffer.alloc(blockSize)
  header.write(entry.name, 0, 100, 'ascii')
  header.write(octal(entry.mode, 8), 100)
  header.write(octal(owner, 8), 108)
  header.write(octal(owner, 8), 116)
  header.write(octal(fitsOctal(entry.size) ? entry.size : 0, 12), 124)
  header.write(octal(0, 12), 136)
  header.write(typeFlags[entry.type], 156)
  header.write('ustar', 257)
  header.write('00', 263)
  header.write(octal(0, 8), 329)
  header.write(octal(0, 8), 337)
  header.write(`${octal(checksum(header), 7)} `, 148)
  return header
}

/** The size in a header of ours, null when there are no digits. */
export function octalSize(bytes: Buffer, header: number): number | null {
  const digits = bytes.toString('ascii', header + 124, header + 135)
  return /^[0-7]{11}$/.test(digits) ? Number.parseInt(digits, 8) : null
}

/** `length` bytes: digits with leading zeros, then NUL. */
function octal(value: number, length: number): string {
  return `${value.toString(8).padStart(length - 1, '0')}\0`
}

/** The sum of all bytes, the checksum's own eight counted as spaces. */
function checksum(header: Buffer): number {
  return header.reduce((sum, byte) => sum + byte, 8 * 0x20)
}
