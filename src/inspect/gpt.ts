import { crc32 } from 'node:zlib'
import type { Windows } from './windows.ts'

export type GptPartition = { readonly type: string; readonly offset: number; readonly size: number }
export type Gpt = {
  readonly partitions: readonly GptPartition[]
  /** Where the backup header ends, the end of the disk as it was partitioned. */
  readonly end: number
}

/** Sectors of 512 bytes, and of 4096 on newer disks. */
const sectors = [512, 4096]
const headerLength = 92
/** The usual size of the array; more are not looked at. */
const mostEntries = 128
const noType = '00000000-0000-0000-0000-000000000000'

/*
 * GPT header in sector 1, little-endian (UEFI specification, 5.3.2)
 *
 *   0  8  "EFI PART"                  32  8  sector of the backup header
 *   8  4  revision, 0x00010000        72  8  first sector of the entries
 *  12  4  header length, 92 or more   80  4  number of entries
 *  16  4  CRC-32 of the header        84  4  length of an entry, 128 or more
 *
 * An entry: 0 16 type, 32 8 first sector, 40 8 last sector
 */
export function readGpt(windows: Windows): Gpt | null {
  const sector = sectors.find((size) => isHeader(windows, size))
  if (sector === undefined) return null
  const last = windows.u64le(sector + 32)
  if (last > BigInt(Number.MAX_SAFE_INTEGER) / 4096n) return null
  return { partitions: readEntries(windows, sector), end: (Number(last) + 1) * sector }
}

function isHeader(windows: Windows, sector: number): boolean {
  if (!windows.has(sector, 'EFI PART\0\0\x01\0') || !windows.holds(sector, sector)) return false
  const length = windows.u32le(sector + 12)
  if (length < headerLength || length > sector) return false
  const header = Buffer.from(windows.bytes(sector, length))
  header.fill(0, 16, 20)
  return crc32(header) === windows.u32le(sector + 16)
}

function readEntries(windows: Windows, sector: number): readonly GptPartition[] {
  const start = windows.u64le(sector + 72) * BigInt(sector)
  const count = Math.min(mostEntries, windows.u32le(sector + 80))
  const length = windows.u32le(sector + 84)
  const found: GptPartition[] = []
  for (let index = 0; index < count; index += 1) {
    const offset = Number(start) + index * length
    if (length < 128 || !windows.holds(offset, 128)) break
    const entry = readEntry(windows, sector, offset)
    if (entry.type !== noType) found.push(entry)
  }
  return found
}

/** Numbers beyond 2^53 lose their last bits here; they are only told, never followed outside a window. */
function readEntry(windows: Windows, sector: number, offset: number): GptPartition {
  const first = Number(windows.u64le(offset + 32))
  const last = Number(windows.u64le(offset + 40))
  const size = Math.max(0, last - first + 1) * sector
  return { type: guid(windows.bytes(offset, 16)), offset: first * sector, size }
}

/** A GUID's first three groups are little-endian. */
function guid(bytes: Buffer): string {
  const hex = Buffer.from([3, 2, 1, 0, 5, 4, 7, 6].map((at) => bytes.readUInt8(at))).toString('hex')
  const rest = bytes.toString('hex', 8)
  const groups = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12), rest.slice(0, 4), rest.slice(4)]
  return groups.join('-')
}
