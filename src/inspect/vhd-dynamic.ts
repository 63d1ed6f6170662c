import type { Region } from './inspector.ts'
import { checksumOf, type Footer } from './vhd-footer.ts'
import type { Windows } from './windows.ts'

/*
 * VHD dynamic header, big-endian, at the footer's data offset
 *
 *    0  8  cookie "cxsparse"                36    4  checksum
 *   16  8  offset of the block table        40   16  UUID of the parent
 *   28  4  entries of the block table       64  512  name of the parent
 *   32  4  block size
 */
const headerLength = 1024
const cookie = 'cxsparse'
const sector = 512
/** Blocks of 512 bytes to 2 GiB; nearly everybody writes 2 MiB. */
const largestBlock = 2 ** 31

/** A place that no file of a possible size has is not looked for. */
function place({ dataOffset }: Footer): number | null {
  return dataOffset <= Number.MAX_SAFE_INTEGER - headerLength ? Number(dataOffset) : null
}

export function dynamicAhead(footer: Footer): readonly Region[] {
  const at = footer.type === 3 ? place(footer) : null
  return at === null ? [] : [{ from: 'start', offset: at, length: headerLength }]
}

export function dynamicParentProblem(footer: Footer, windows: Windows): string | null {
  const at = place(footer)
  if (at === null || !windows.has(at, cookie)) return null
  const named = [windows.bytes(at + 40, 16), windows.bytes(at + 64, 512)]
  if (named.every((bytes) => bytes.every((byte) => byte === 0))) return null
  return 'the image names a parent, to which it is only the difference; make one file of it with qemu-img convert'
}

export function dynamicProblem(footer: Footer, windows: Windows): string | null {
  const at = place(footer)
  if (at === null || at < sector) return 'the dynamic header does not lie behind the footer'
  const bytes = windows.bytes(at, headerLength)
  if (!windows.has(at, cookie)) return 'there is no dynamic header where the footer says'
  if (checksumOf(bytes, 36) !== windows.u32be(at + 36)) {
    return 'the checksum of its dynamic header is wrong; the file is damaged'
  }
  return blocksProblem(footer, at, windows)
}

function blocksProblem({ size }: Footer, at: number, windows: Windows): string | null {
  const tableOffset = windows.u64be(at + 16)
  const entries = windows.u32be(at + 28)
  const block = windows.u32be(at + 32)
  if (block < sector || block > largestBlock || (block & (block - 1)) !== 0) {
    return `the blocks have ${block} bytes, which is no power of 2 from 512 on`
  }
  if (BigInt(entries) * BigInt(block) < size) {
    return `${entries} blocks are too few for a disk of ${size} bytes`
  }
  if (tableOffset < BigInt(sector)) return 'the block table would lie in the footer'
  const end = tableOffset + BigInt(entries) * 4n
  if (windows.size === null || end <= windows.size) return null
  return `the block table would end at byte ${end} but the file has ${windows.size} bytes; it was cut short`
}
