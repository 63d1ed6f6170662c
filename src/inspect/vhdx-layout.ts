import { crc32c } from './crc32c.ts'
import type { Windows } from './windows.ts'

/*
 * VHDX, little-endian (formats.md; [MS-VHDX] section 2)
 *
 *   0x10000, 0x20000  header: 0 "head", 4 CRC-32C of 4 KiB, 8 sequence number, 48 log GUID
 *   0x30000, 0x40000  region table: 0 "regi", 4 CRC-32C of 64 KiB, 8 entries; from 16 on an entry is
 *                     0 GUID, 16 offset (8), 24 length (4), 28 required (bit 0)
 *   metadata region   0 "metadata", 10 entries (2); from 32 on an entry is
 *                     0 GUID, 16 offset in the region (4), 20 length (4), 24 flags (bit 2 required)
 */
const headers = [0x1_0000, 0x2_0000] as const
const headerLength = 4096
const regionTables = [0x3_0000, 0x4_0000] as const
const tableLength = 65_536
const mostRegions = 2047
const mostItems = 2047
const entryLength = 32

export type Region = {
  readonly id: string
  readonly offset: bigint
  readonly length: number
  readonly isRequired: boolean
}
export type Item = Region

/** Where the header in force stands: the sound one with the higher sequence number; null when neither is sound. */
export function currentHeader(windows: Windows): number | null {
  const sound = headers.filter((at) => isSound(windows, at, 'head', headerLength))
  return sound.sort((a, b) => (windows.u64le(a + 8) < windows.u64le(b + 8) ? 1 : -1))[0] ?? null
}

/** Null when neither copy of the table is sound. */
export function readRegions(windows: Windows): readonly Region[] | null {
  const known = regionsRead.get(windows)
  if (known) return known
  const regions = regionsOf(windows)
  if (regions) regionsRead.set(windows, regions)
  return regions
}

/** Each check asks anew, and a table that is sound does not change. */
const regionsRead = new WeakMap<Windows, readonly Region[]>()

function regionsOf(windows: Windows): readonly Region[] | null {
  const at = regionTables.find((place) => isSound(windows, place, 'regi', tableLength))
  if (at === undefined) return null
  const count = windows.u32le(at + 8)
  if (count > mostRegions) return null
  return entries(count, at + 16).map((entry) => ({
    id: guid(windows, entry),
    offset: windows.u64le(entry + 16),
    length: windows.u32le(entry + 24),
    isRequired: (windows.u32le(entry + 28) & 1) === 1,
  }))
}

/** Null when there is no table of items at `at`. An item's offset counts from there. */
export function readItems(windows: Windows, at: number): readonly Item[] | null {
  if (windows.text(at, 8) !== 'metadata') return null
  const count = windows.u16le(at + 10)
  if (count > mostItems) return null
  return entries(count, at + 32).map((entry) => ({
    id: guid(windows, entry),
    offset: BigInt(windows.u32le(entry + 16)),
    length: windows.u32le(entry + 20),
    isRequired: (windows.u32le(entry + 24) & 4) === 4,
  }))
}

function entries(count: number, first: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => first + index * entryLength)
}

/** Verdicts on structures by where they stand: each check asks anew, and bytes that have come do not change. */
const judged = new WeakMap<Windows, Map<number, boolean>>()

function isSound(windows: Windows, at: number, signature: string, length: number): boolean {
  const bytes = windows.bytes(at, length)
  const verdicts = judged.get(windows) ?? new Map<number, boolean>()
  judged.set(windows, verdicts)
  const known = verdicts.get(at)
  if (known !== undefined) return known
  const verdict = windows.has(at, signature) && crc32c(bytes, 4) === windows.u32le(at + 4)
  verdicts.set(at, verdict)
  return verdict
}

/** As people write it: the first three fields are little-endian. */
function guid(windows: Windows, at: number): string {
  const hex = (offset: number, length: number) => windows.bytes(at + offset, length).toString('hex')
  const fields = [
    windows.u32le(at).toString(16).padStart(8, '0'),
    windows
      .u16le(at + 4)
      .toString(16)
      .padStart(4, '0'),
    windows
      .u16le(at + 6)
      .toString(16)
      .padStart(4, '0'),
    hex(8, 2),
    hex(10, 6),
  ]
  return fields.join('-')
}
