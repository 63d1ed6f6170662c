import { Bug } from '../errors.ts'
import { extensionOf, formats, type Format } from '../image/format.ts'
import { paxRecords, paxSizeOf } from './pax.ts'
import { blockSize, octalSize, tarHeader } from './tar-header.ts'

/** Where the disk's bytes begin in the layer, always: one page, so that reads of the disk are page-aligned. */
export const headSize = 4096

/** What is left of the head beside three headers. */
const paxSize = headSize - 3 * blockSize

/** POSIX.1-2017, pax, "ustar Interchange Format": an archive ends with two blocks of zeros. */
const endSize = 2 * blockSize

/** The disk's name inside `disk/`. */
export function diskName(format: Format): string {
  return `disk.${extensionOf(format)}`
}

/**
 * The `headSize` bytes of the layer before the disk (image-lifecycle, "What is stored"). Nothing but format and size goes
 * in, so the same disk always gives the same layer. `diskSize` is bytes.
 *
 *     offset  bytes  content
 *          0    512  header of the directory disk/
 *        512    512  header of the PAX records
 *       1024   2560  PAX records: size when it needs 12 octal digits (8 GiB and more), comment
 *       3584    512  header of disk/disk.<ext>
 *       4096         the disk, then `layerTail`
 */
export function layerHead(format: Format, diskSize: number): Buffer {
  assertSize(diskSize)
  const name = diskName(format)
  return Buffer.concat([
    tarHeader({ name: 'disk/', type: 'directory', mode: 0o755, size: 0 }),
    tarHeader({ name: `disk/PaxHeaders/${name}`, type: 'pax', mode: 0o444, size: paxSize }),
    paxRecords(diskSize, paxSize),
    tarHeader({ name: `disk/${name}`, type: 'file', mode: 0o444, size: diskSize }),
  ])
}

/** What a layer of `size` bytes holds if it begins with a head of ours; null when it is none, to the last byte. */
export function readLayerHead(
  head: Buffer,
  size: number,
): { readonly format: Format; readonly diskSize: number } | null {
  const said = saidBy(head)
  return said && layerSize(said.diskSize) === size ? said : null
}

/** What a head of ours says of the disk behind it, of which not all needs to be there; null for any other bytes. */
export function saidBy(
  head: Buffer,
): { readonly format: Format; readonly diskSize: number } | null {
  if (head.length !== headSize) return null
  const diskSize = paxSizeOf(head.subarray(2 * blockSize)) ?? octalSize(head, 7 * blockSize)
  if (diskSize === null) return null
  const format = formats.find((each) => layerHead(each, diskSize).equals(head))
  return format === undefined ? null : { format, diskSize }
}

/** The bytes after the disk: zeros up to a whole block, then the end of the archive. `diskSize` is bytes. */
export function layerTail(diskSize: number): Buffer {
  return Buffer.alloc(padding(diskSize) + endSize)
}

/** Bytes of the whole layer around a disk of `diskSize` bytes. */
export function layerSize(diskSize: number): number {
  return headSize + diskSize + padding(diskSize) + endSize
}

function padding(diskSize: number): number {
  return (blockSize - (diskSize % blockSize)) % blockSize
}

function assertSize(diskSize: number): void {
  if (Number.isSafeInteger(diskSize) && diskSize >= 0) return
  throw new Bug(`a disk of ${diskSize} bytes cannot be packed`)
}
