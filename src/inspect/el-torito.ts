import { findDescriptor, sectorSize } from './iso-volume.ts'
import type { Windows } from './windows.ts'

const specification = 'EL TORITO SPECIFICATION'
const entryLength = 32
/** Entries in the one sector that is read. */
const entries = sectorSize / entryLength

const platforms: { readonly [id: number]: string } = {
  0: 'BIOS',
  1: 'PowerPC',
  2: 'Mac',
  0xef: 'UEFI',
}

/** Where the boot record says the catalog is; null when the disc has no boot record. */
export function catalogOffset(windows: Windows): number | null {
  const record = findDescriptor(windows, 'boot')
  if (record === null || !windows.has(record + 7, specification)) return null
  return windows.u32le(record + 71) * sectorSize
}

/** `image` is where the boot image begins. */
export type BootEntry = { readonly platform: string; readonly image: number }

/*
 * Boot catalog (El Torito, 2.0), little-endian, entries of 32 bytes
 *
 *   validation    0 1  0x01   1 1 platform   28 2 makes the sum of all words 0   30 2 0x55 0xAA
 *   section head  0 1  0x90, the last 0x91   1 1 platform    2 2 number of entries that follow
 *   entry         0 1  0x88 bootable, 0 not  8 4 sector of the image
 *   extension     0 1  0x44
 *
 * The first entry after the validation has no head and is of the validation's platform.
 */
export function bootEntries(windows: Windows, catalog: number): readonly BootEntry[] {
  if (!isValid(windows, catalog)) return []
  const found: BootEntry[] = []
  let platform = windows.u8(catalog + 1)
  for (let index = 1; index < entries; index += 1) {
    const offset = catalog + index * entryLength
    const kind = windows.u8(offset)
    if (kind === 0x90 || kind === 0x91) platform = windows.u8(offset + 1)
    if (kind === 0x88) found.push(readEntry(windows, offset, platform))
  }
  return found
}

function readEntry(windows: Windows, offset: number, platform: number): BootEntry {
  const name = platforms[platform] ?? `platform ${platform}`
  return { platform: name, image: windows.u32le(offset + 8) * sectorSize }
}

function isValid(windows: Windows, catalog: number): boolean {
  if (!windows.holds(catalog, sectorSize) || windows.u8(catalog) !== 1) return false
  if (!windows.has(catalog + 30, [0x55, 0xaa])) return false
  let sum = 0
  for (let offset = 0; offset < entryLength; offset += 2) sum += windows.u16le(catalog + offset)
  return sum % 65_536 === 0
}
