import { atEnd, headerLength, magic, readHeader, sector, type Header } from './vmdk-header.ts'
import type { Windows } from './windows.ts'

/*
 * End of a streamOptimized file, sectors from its end: 3 marker (0 8 value, 8 4 size 0, 12 4 type 3 footer), 2 the header
 * once more, 1 marker of the end (all 0)
 */
const footerMarker = 3
export const fromEnd = 3 * sector

/** Only the end of such a file tells where the grain directory is. */
export function isNeeded({ directory }: Header): boolean {
  return directory === atEnd
}

/** Where the last header begins; null while the file has not ended, and when it ends with none. */
export function footerAt(windows: Windows): number | null {
  const marker = windows.received - fromEnd
  if (!windows.ended || marker < headerLength || !windows.holds(marker, fromEnd)) return null
  const header = marker + sector
  const isFooter = windows.u32le(marker + 8) === 0 && windows.u32le(marker + 12) === footerMarker
  return isFooter && windows.has(header, magic) && endsThere(windows) ? header : null
}

function endsThere(windows: Windows): boolean {
  return windows.bytes(windows.received - sector, 16).every((byte) => byte === 0)
}

/** What both headers have to say alike: QEMU believes the last one, others the first, and both would see one disk. */
const shared = [
  'version',
  'flags',
  'capacity',
  'grain',
  'descriptorOffset',
  'descriptorSize',
  'tableEntries',
  'compression',
] as const satisfies readonly (keyof Header)[]

export function disagreement(first: Header, windows: Windows): string | null {
  const footer = footerAt(windows)
  if (footer === null) return null
  const last = readHeader(windows, footer)
  const field = shared.find((name) => first[name] !== last[name])
  if (field === undefined) return null
  return `the header and the footer contradict each other (${field}), so that readers would see different disks; export the disk anew`
}
