import { cutShort, damaged, pieces, type Stretch } from './pieces.ts'
import type { Survey, WholeFile } from './survey.ts'
import { surveyedDisk, type Reading } from './vhdx-surveyed-disk.ts'

const mebibyte = 1_048_576
/** Sectors that an entry for a bitmap stands for ([MS-VHDX] section 2.5). */
const sectorsPerChunk = 2 ** 23

type Blocks = {
  readonly diskSize: number
  readonly blockSize: number
  /** Blocks between two entries for bitmaps. */
  readonly chunk: number
}

/** States of a block that has no data ([MS-VHDX] section 2.5.1.1): it reads as zeros. 5 is 3 in files of version 0.95. */
const noData = new Set([0, 1, 2, 3, 5])
const wholeBlock = 6
const partOfParent = 7

/**
 * The block table of a VHDX that `Inspection` has accepted.
 * @throws Flaw INVALID_HEADER
 */
export async function surveyVhdx(
  file: WholeFile,
  reading: Reading,
  signal: AbortSignal,
): Promise<Survey> {
  const { size, blockSize, sectorSize, tableOffset } = await surveyedDisk(file, reading, signal)
  const chunk = (sectorsPerChunk * sectorSize) / blockSize
  return await surveyTable(file, tableOffset, { diskSize: size, blockSize, chunk }, signal)
}

/*
 * Block table: entries of 8 bytes, little-endian. After `chunk` entries for blocks comes one for a bitmap that tells what
 * is the parent's; in an image without a parent it has no meaning and QEMU does not read it.
 *
 *   bits 0-2 state   3-19 reserved   20-63 where the block begins, in MiB
 *
 * What lies behind the entries that the disk needs is not looked at. QEMU makes a fixed disk that is smaller than a block
 * without the rest of the block, so a block has to lie in the file only as far as the disk reaches.
 */
async function surveyTable(
  file: WholeFile,
  offset: number,
  blocks: Blocks,
  signal: AbortSignal,
): Promise<Survey> {
  const { chunk } = blocks
  let allocatedBytes = 0
  for await (const { at, bytes } of pieces(file, tableOf(offset, blocks), signal)) {
    for (let entry = 0; entry < bytes.byteLength; entry += 8) {
      const index = (at + entry) / 8
      if (index % (chunk + 1) === chunk) continue
      const block = index - Math.floor(index / (chunk + 1))
      const words = [bytes.getUint32(entry, true), bytes.getUint32(entry + 4, true)] as const
      allocatedBytes += judgeBlock(file, words, block, blocks)
    }
  }
  return { allocatedBytes }
}

function tableOf(offset: number, { diskSize, blockSize, chunk }: Blocks): Stretch {
  const count = Math.ceil(diskSize / blockSize)
  const entries = count + Math.floor((count - 1) / chunk)
  return { name: 'block table', offset, length: entries * 8 }
}

/** Bytes of the disk that the block holds. */
function judgeBlock(
  file: { readonly size: number },
  [low, high]: readonly [number, number],
  block: number,
  { diskSize, blockSize }: Blocks,
): number {
  const state = low & 7
  if (noData.has(state)) return 0
  const name = `block for byte ${block * blockSize} of the disk`
  if (state !== wholeBlock) throw damaged(`the ${name} ${unreadable(state)}; the file is damaged`)
  const place = (high * 4096 + (low >>> 20)) * mebibyte
  const length = Math.min(blockSize, diskSize - block * blockSize)
  if (place === 0) throw damaged(`the ${name} would lie on the headers; the file is damaged`)
  if (place + length > file.size) throw cutShort(name, place + length, file)
  return length
}

function unreadable(state: number): string {
  if (state === partOfParent) return 'is in part the one of a parent, which the image has not'
  return `has the state ${state}, which there is not`
}
