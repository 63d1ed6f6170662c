import { damaged, pieces, readHead } from './pieces.ts'
import type { Survey, WholeFile } from './survey.ts'
import type { Windows } from './windows.ts'

/** What is read of the header, once it is judged (vdi.ts). */
export type MappedHeader = {
  readonly mapOffset: number
  readonly diskSize: bigint
  readonly blockSize: number
  readonly blocks: number
  readonly allocated: number
}

/** The header lies within it. */
const headerSector = 512
/** From here on an entry names no block: 0xFFFFFFFE reads as zeros, 0xFFFFFFFF was never written (VDICore.h). */
const noBlock = 0xffff_fffe

/**
 * The block map: an entry of 4 bytes, little-endian, for each block of the disk, says which of the file's blocks it is.
 * Blocks lie one behind the other and the header check has found the file long enough for all that it holds, so a number
 * below theirs is in the file. qemu-img and VirtualBox write every block whole, the last one, too.
 * @throws Flaw INVALID_HEADER
 */
export async function surveyVdi(
  file: WholeFile,
  readHeader: (windows: Windows) => MappedHeader,
  signal: AbortSignal,
): Promise<Survey> {
  const header = readHeader(await readHead(file, headerSector, signal))
  const { mapOffset, blocks, blockSize } = header
  const map = { name: 'block map', offset: mapOffset, length: blocks * 4 }
  const diskSize = Number(header.diskSize)
  let allocatedBytes = 0
  let named = 0
  for await (const { at, bytes } of pieces(file, map, signal)) {
    for (let entry = 0; entry < bytes.byteLength; entry += 4) {
      const block = bytes.getUint32(entry, true)
      if (block >= noBlock) continue
      const start = ((at + entry) / 4) * blockSize
      named += 1
      judgeBlock(header, block, named, start)
      allocatedBytes += Math.max(0, Math.min(blockSize, diskSize - start))
    }
  }
  return { allocatedBytes }
}

function judgeBlock({ allocated }: MappedHeader, block: number, named: number, start: number) {
  const what = `the block for byte ${start} of the disk`
  if (block >= allocated) {
    throw damaged(
      `${what} would be number ${block} but the file holds ${allocated}; it was cut short or is damaged`,
    )
  }
  if (named > allocated) {
    throw damaged(
      `the block map names more blocks than the ${allocated} of the file; it is damaged`,
    )
  }
}
