import type { Windows } from './windows.ts'

/** Descriptors stand in sectors of 2048 bytes from sector 16 on, whatever the block size is. */
export const sectorSize = 2048
export const firstDescriptor = 0x8000
/** Far more than any image has; a set without an end is not followed further. */
const mostDescriptors = 48
export const descriptorsLength = mostDescriptors * sectorSize

const types = { boot: 0, primary: 1, supplementary: 2, end: 255 } as const

/*
 * Volume descriptor of ISO 9660 (ECMA-119, 8). Numbers are stored twice, little-endian and then big-endian.
 *
 *   0    1  type: 0 boot record, 1 primary, 2 supplementary, 255 end
 *   1    5  "CD001"
 *   6    1  version, 1
 *  40   32  volume identifier
 *  80  4+4  volume size in blocks
 *  88   32  escape sequences (supplementary)
 * 128  2+2  block size
 * 156   34  directory record of the root: 2 4+4 block, 10 4+4 length
 */
function* descriptors(windows: Windows): Generator<{ type: number; offset: number }> {
  for (let index = 0; index < mostDescriptors; index += 1) {
    const offset = firstDescriptor + index * sectorSize
    if (!windows.has(offset + 1, 'CD001')) return
    const type = windows.u8(offset)
    if (type === types.end) return
    yield { type, offset }
  }
}

export function findDescriptor(windows: Windows, type: keyof typeof types): number | null {
  for (const descriptor of descriptors(windows)) {
    if (descriptor.type === types[type]) return descriptor.offset
  }
  return null
}

export type Volume = {
  readonly blocks: number
  readonly blockSize: number
  readonly rootOffset: number
  readonly rootLength: number
}

/** What the primary descriptor at `offset` says; null where its two byte orders disagree. */
export function readVolume(windows: Windows, offset: number): Volume | null {
  const blocks = both32(windows, offset + 80)
  const blockSize = both16(windows, offset + 128)
  const rootBlock = both32(windows, offset + 158)
  const rootLength = both32(windows, offset + 166)
  if (blocks === null || blockSize === null || rootBlock === null || rootLength === null)
    return null
  return { blocks, blockSize, rootOffset: rootBlock * blockSize, rootLength }
}

function both32(windows: Windows, offset: number): number | null {
  const value = windows.u32le(offset)
  return value === windows.u32be(offset + 4) ? value : null
}

function both16(windows: Windows, offset: number): number | null {
  const value = windows.u16le(offset)
  return value === windows.u16be(offset + 2) ? value : null
}

/** Joliet is a supplementary descriptor in UCS-2, which its escape sequence tells. */
export function hasJoliet(windows: Windows): boolean {
  const levels = ['%/@', '%/C', '%/E']
  return [...descriptors(windows)].some(
    ({ type, offset }) =>
      type === types.supplementary && levels.some((level) => windows.has(offset + 88, level)),
  )
}

/** Rock Ridge announces itself in the root's own record: "SP" (SUSP, 5.3), then POSIX attributes, "PX". */
export function hasRockRidge(windows: Windows, volume: Volume): boolean {
  if (!windows.holds(volume.rootOffset, 256)) return false
  const length = windows.u8(volume.rootOffset)
  const record = windows.text(volume.rootOffset, length)
  return record.includes('SP\x07\x01\xbe\xef') && record.includes('PX')
}
