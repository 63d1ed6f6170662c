import { damaged, cutShort, pieces, type Stretch } from './pieces.ts'
import { Cursor } from './qcow2-cursor.ts'
import { hostOffset, reservedInBitmap } from './qcow2-entry.ts'
import { findExtension } from './qcow2-extensions.ts'
import type { Geometry } from './qcow2-geometry.ts'
import { autoclear, has, type Header } from './qcow2-header.ts'
import { judgePlace } from './qcow2-placement.ts'
import type { WholeFile } from './survey.ts'
import type { Windows } from './windows.ts'

const fixedLength = 24

/**
 * The bitmaps, when whoever wrote the file last knew of them: their tables and clusters lie in the file.
 * @throws Flaw INVALID_HEADER
 */
export async function judgeBitmaps(
  file: WholeFile,
  windows: Windows,
  header: Header,
  geometry: Geometry,
  signal: AbortSignal,
): Promise<void> {
  if (!has(header.features.autoclear, autoclear.bitmaps)) return
  const extension = findExtension(windows, header, 'bitmaps')
  if (!extension) return
  const length = Number(windows.u64be(extension.offset + 8))
  const offset = Number(windows.u64be(extension.offset + 16))
  const directory = { name: 'bitmap directory', offset, length }
  const count = windows.u32be(extension.offset)
  for await (const table of bitmapTables(file, directory, count, signal)) {
    judgePlace(file, geometry, table)
    await judgeTable(file, geometry, table, signal)
  }
}

/*
 * Bitmap directory entry, big-endian, padded to 8 bytes (qcow2.txt, "Bitmap directory")
 *
 *   0  8  bitmap table offset            18  2  length of the name
 *   8  4  bitmap table, entries          20  4  length of extra data, which nobody has defined
 *  12  4  flags, 3 bits of them          24  n  extra data, name
 *  16  1  type, 1    17  1  granularity, as a power of 2 from 9 to 31
 *
 * Every bitmap has a table of its own, so that all together are not longer than the file.
 */
async function* bitmapTables(
  file: WholeFile,
  directory: Stretch,
  count: number,
  signal: AbortSignal,
): AsyncGenerator<Stretch> {
  const cursor = new Cursor(file, directory.name)
  const end = directory.offset + directory.length
  let offset = directory.offset
  let room = file.size
  for (let index = 1; index <= count; index += 1) {
    if (offset + fixedLength > end)
      throw damaged(`the bitmap directory ends before bitmap ${index}`)
    const entry = await cursor.read(offset, fixedLength, signal)
    if (!isKnown(entry)) throw damaged(`bitmap ${index} is of no kind that QEMU opens`)
    const length = entry.getUint32(8) * 8
    room -= length
    if (room < 0) throw damaged('the tables of the bitmaps are longer than the file; it is damaged')
    offset += Math.ceil((fixedLength + entry.getUint16(18) + entry.getUint32(20)) / 8) * 8
    if (offset > end) throw damaged(`the bitmap directory ends inside bitmap ${index}`)
    yield { name: `table of bitmap ${index}`, offset: Number(entry.getBigUint64(0)), length }
  }
}

/** QEMU opens no image with another bitmap in it (block/qcow2-bitmap.c, check_dir_entry). */
function isKnown(entry: DataView): boolean {
  const granularity = entry.getUint8(17)
  const nameLength = entry.getUint16(18)
  return (
    entry.getUint32(12) < 8 &&
    entry.getUint8(16) === 1 &&
    granularity >= 9 &&
    granularity <= 31 &&
    nameLength >= 1 &&
    nameLength <= 1023
  )
}

async function judgeTable(
  file: WholeFile,
  { cluster }: Geometry,
  table: Stretch,
  signal: AbortSignal,
): Promise<void> {
  for await (const { bytes } of pieces(file, table, signal)) {
    for (let at = 0; at < bytes.byteLength; at += 8) {
      const high = bytes.getUint32(at)
      const low = bytes.getUint32(at + 4)
      const host = hostOffset(high, low)
      // Without a cluster, bit 0 says that all bits are 1; with one it is reserved.
      const reserved = reservedInBitmap(high, low) | (host === 0 ? 0 : low & 1)
      if (reserved !== 0 || host % cluster !== 0) {
        throw damaged(
          `an entry of the ${table.name} names no cluster of the file; the file is damaged`,
        )
      }
      const end = host + cluster
      if (host !== 0 && end > file.size) throw cutShort(`data of the ${table.name}`, end, file)
    }
  }
}
