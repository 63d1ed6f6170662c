import { autoclear, clusterSize, has, incompatible, type Header } from './qcow2-header.ts'
import { findExtension } from './qcow2-extensions.ts'
import type { Windows } from './windows.ts'

/** Bytes that qemu accepts (block/qcow2.h). */
const mostL1 = 33_554_432
const mostRefcountTable = 8_388_608
/** Offsets of clusters have 56 bits. */
export const offsetLimit = 1n << 56n

export type Table = { readonly name: string; readonly offset: bigint; readonly length: number }

/** What is wrong with where a table lies. It is measured by its exact length: a file may end right behind it. */
export function misplaced(windows: Windows, header: Header, table: Table): string | null {
  const { name, offset, length } = table
  if (offset === 0n) return `the ${name} would lie in the header`
  if (offset % BigInt(clusterSize(header)) !== 0n) return `the ${name} does not begin at a cluster`
  if (offset >= offsetLimit) return `the offset of the ${name} has more than 56 bits`
  const end = offset + BigInt(length)
  if (windows.size === null || end <= windows.size) return null
  return `the ${name} would end at byte ${end} but the file has ${windows.size} bytes; it was cut short`
}

export function l1Problem(windows: Windows, header: Header): string | null {
  const length = header.l1Entries * 8
  if (length > mostL1) return `an L1 table of ${length} bytes is longer than ${mostL1}`
  if (BigInt(header.l1Entries) < neededL1Entries(header)) {
    return `the L1 table has ${header.l1Entries} entries, too few for a disk of ${header.size} bytes`
  }
  return misplaced(windows, header, { name: 'L1 table', offset: header.l1Offset, length })
}

/** An L1 entry stands for one cluster of L2 entries, of 8 bytes each or of 16 with extended L2. */
function neededL1Entries(header: Header): bigint {
  const cluster = BigInt(clusterSize(header))
  const entry = has(header.features.incompatible, incompatible.extendedL2) ? 16n : 8n
  const covered = cluster * (cluster / entry)
  return (header.size + covered - 1n) / covered
}

export function refcountProblem(windows: Windows, header: Header): string | null {
  if (header.features.refcountOrder > 6) return 'reference counts have more than 64 bits'
  if (header.refcountClusters === 0) return 'there is no reference count table'
  const length = header.refcountClusters * clusterSize(header)
  if (length > mostRefcountTable) return `a refcount table of ${length} bytes is too long`
  return misplaced(windows, header, {
    name: 'refcount table',
    offset: header.refcountOffset,
    length,
  })
}

/*
 * Bitmaps extension
 *
 *   0  4  number of bitmaps
 *   8  8  directory, bytes
 *  16  8  directory offset
 *
 * It counts only while the autoclear bit says that whoever wrote the file last knew of it.
 */
export function bitmapsProblem(windows: Windows, header: Header): string | null {
  if (!has(header.features.autoclear, autoclear.bitmaps)) return null
  const extension = findExtension(windows, header, 'bitmaps')
  if (!extension) return null
  if (extension.length !== 24) return 'the bitmaps extension has a wrong length'
  // As QEMU judges it when it opens the image (qcow2-bitmap.c).
  const count = windows.u32be(extension.offset)
  if (count === 0 || count > mostBitmaps) return `${count} is no possible number of bitmaps`
  if (windows.u32be(extension.offset + 4) !== 0)
    return 'the bitmaps extension has bits that mean nothing'
  const length = windows.u64be(extension.offset + 8)
  if (length > BigInt(mostBitmapDirectory)) return 'the bitmap directory is too long'
  const offset = windows.u64be(extension.offset + 16)
  return misplaced(windows, header, { name: 'bitmap directory', offset, length: Number(length) })
}

const mostBitmaps = 65_535
/** 65535 bitmaps with an entry of at most 1 KiB (docs/interop/qcow2.txt, "Bitmaps extension"). */
const mostBitmapDirectory = 67_107_840
