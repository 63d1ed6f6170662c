import { descriptorsLength, firstDescriptor, sectorSize } from './iso-volume.ts'
import type { Region } from './inspector.ts'
import type { Windows } from './windows.ts'

/** Block sizes in use: optical discs, then hard disks. */
const blockSizes = [2048, 512, 4096, 1024]
/** The sequence has a handful of descriptors and must be 16 blocks or more. */
const mostDescriptors = 64
const tags = { primary: 1, anchor: 2, partition: 5, end: 8 } as const

/** ECMA-167 volume recognition: BEA01, then NSR02 or NSR03, in sectors of 2048 bytes, or one to a block of 4096. */
export function hasUdf(windows: Windows): boolean {
  let begun = false
  for (let at = 0; at < descriptorsLength; at += sectorSize) {
    const name = firstDescriptor + at + 1
    begun ||= windows.has(name, 'BEA01')
    if (begun && (windows.has(name, 'NSR02') || windows.has(name, 'NSR03'))) return true
  }
  return false
}

/** Whether recognition begins with UDF, so that no ISO 9660 volume stands beside it. */
export function isPureUdf(windows: Windows): boolean {
  return windows.has(firstDescriptor + 1, 'BEA01') && hasUdf(windows)
}

export type Anchor = {
  readonly blockSize: number
  readonly sequenceOffset: number
  readonly sequenceLength: number
  /** Where the copy of the sequence ends; 0 when there is none. */
  readonly copyEnd: number
}

/*
 * Anchor at block 256, else in the last block or 256 before it, little-endian (ECMA-167 3/10.2); a tag begins every descriptor
 *
 *   0  2  tag 2                                            16  4  main sequence, bytes
 *   4  1  sum of the tag's other 15 bytes, modulo 256      20  4  main sequence, block
 *  12  4  block in which it stands                         24  8  the same of its copy, the reserve sequence
 */
export function findAnchor(windows: Windows): Anchor | null {
  const first = blockSizes.find((size) => isAnchor(windows, size, 256))
  if (first !== undefined) return readAnchor(windows, first, 256)
  const last = lastPlaces(windows).find(({ blockSize, block }) =>
    isAnchor(windows, blockSize, block),
  )
  return last ? readAnchor(windows, last.blockSize, last.block) : null
}

function readAnchor(windows: Windows, blockSize: number, block: number): Anchor {
  const offset = blockSize * block
  return {
    blockSize,
    sequenceLength: windows.u32le(offset + 16),
    sequenceOffset: windows.u32le(offset + 20) * blockSize,
    copyEnd: windows.u32le(offset + 28) * blockSize + windows.u32le(offset + 24),
  }
}

/** Where the other anchors of a disc stand that has none at block 256, or not only there; known when its size is. */
function lastPlaces({ size }: Windows): readonly { blockSize: number; block: number }[] {
  const blockSize = 2048
  const blocks = Math.floor((size ?? 0) / blockSize)
  return [blocks - 1, blocks - 257]
    .filter((block) => block > 256)
    .map((block) => ({ blockSize, block }))
}

/** The one of them that stands before the end of the file which is kept anyway. */
export function anchorAhead(windows: Windows): Region | null {
  const place = lastPlaces(windows).at(1)
  if (!place || findAnchor(windows) !== null) return null
  return { from: 'start', offset: place.block * place.blockSize, length: 512 }
}

function isAnchor(windows: Windows, blockSize: number, block: number): boolean {
  const offset = blockSize * block
  if (windows.endsBefore(offset + 512)) return false
  // Behind the head an anchor stands in a window or nowhere that is looked at.
  if (block !== 256 && !windows.holds(offset, 512)) return false
  const tag = windows.bytes(offset, 16)
  const sum = tag.reduce((all, byte, at) => (at === 4 ? all : all + byte), 0)
  const isAnchorTag = tag.readUInt16LE(0) === tags.anchor && tag.readUInt8(4) === sum % 256
  return isAnchorTag && tag.readUInt32LE(12) === block
}

function findDescriptor(windows: Windows, anchor: Anchor, tag: number): number | null {
  const count = Math.min(mostDescriptors, Math.floor(anchor.sequenceLength / anchor.blockSize))
  for (let index = 0; index < count; index += 1) {
    const offset = anchor.sequenceOffset + index * anchor.blockSize
    if (!windows.holds(offset, 512)) return null
    const found = windows.u16le(offset)
    if (found === tag) return offset
    if (found === tags.end || found === 0) return null
  }
  return null
}

/** Where the volume ends: behind its sequence and the copy of it, and behind its partition (188 4 first block, 192 4 blocks) where that is seen. */
export function udfEnd(windows: Windows, anchor: Anchor): number {
  const sequenceEnd = Math.max(anchor.sequenceOffset + anchor.sequenceLength, anchor.copyEnd)
  const partition = findDescriptor(windows, anchor, tags.partition)
  if (partition === null) return sequenceEnd
  const blocks = windows.u32le(partition + 188) + windows.u32le(partition + 192)
  return Math.max(sequenceEnd, blocks * anchor.blockSize)
}

/** The volume's name: a d-string of 32 bytes at 24, here in its 8-bit form. Empty when it stands in no window. */
export function udfLabel(windows: Windows, anchor: Anchor): string {
  const primary = findDescriptor(windows, anchor, tags.primary)
  if (primary === null || windows.u8(primary + 24) !== 8) return ''
  return windows.label(primary + 25, 30)
}
