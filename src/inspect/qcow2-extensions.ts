import { clusterSize, type Header } from './qcow2-header.ts'
import type { Windows } from './windows.ts'

export const extensionTypes = {
  backingFormat: 0xe2792aca,
  dataFile: 0x44415441,
  encryption: 0x0537be77,
  bitmaps: 0x23852875,
} as const

/** `offset` is where its data begins, in the file. */
export type Extension = { readonly type: number; readonly offset: number; readonly length: number }

/** There are six kinds; a cluster of 2 MiB could hold a quarter million. */
const mostExtensions = 256

export type Extensions = {
  readonly all: readonly Extension[]
  /** Whether one claims to reach behind the first cluster, or there is no end of them. */
  readonly overrun: boolean
}

/*
 * Header extensions: from the end of the header up to the end of the first cluster
 *
 *   0  4  type, 0 ends the list
 *   4  4  length of the data
 *   8  n  data, padded to 8 bytes
 */
export function readExtensions(windows: Windows, header: Header): Extensions {
  const end = clusterSize(header)
  const all: Extension[] = []
  let offset = header.features.headerLength
  while (offset + 8 <= end) {
    const extension = readExtension(windows, offset)
    // QEMU judges the length of the end's mark as well.
    if (extension.offset + extension.length > end) return { all, overrun: true }
    if (extension.type === 0) return { all, overrun: false }
    if (all.length === mostExtensions) return { all, overrun: true }
    all.push(extension)
    offset = extension.offset + Math.ceil(extension.length / 8) * 8
  }
  return { all, overrun: false }
}

function readExtension(windows: Windows, offset: number): Extension {
  return { type: windows.u32be(offset), offset: offset + 8, length: windows.u32be(offset + 4) }
}

/** The first extension of the type, null when there is none. */
export function findExtension(
  windows: Windows,
  header: Header,
  type: keyof typeof extensionTypes,
): Extension | null {
  const { all } = readExtensions(windows, header)
  return all.find((extension) => extension.type === extensionTypes[type]) ?? null
}
