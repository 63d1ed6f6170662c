import { cutShort, damaged, pieces, readAll, readHead } from './pieces.ts'
import type { Survey, WholeFile } from './survey.ts'
import { footerLength, readFooter } from './vhd-footer.ts'

const dynamic = 3
const dynamicHeaderLength = 1024
const sector = 512
const noBlock = 0xffff_ffff

type Blocks = {
  readonly diskSize: number
  readonly tableOffset: number
  readonly entries: number
  readonly blockSize: number
}

/**
 * The block table of a dynamic VHD. A fixed one has no tables: its file has been found as long as its footer says, and
 * all of it is data.
 * @throws Flaw INVALID_HEADER
 */
export async function surveyVhd(file: WholeFile, signal: AbortSignal): Promise<Survey> {
  const windows = await readHead(file, footerLength, signal)
  const { type, dataOffset, size } = readFooter(windows, 0)
  // Only a dynamic image begins with a copy of its footer (vhd.ts).
  const isDynamic = windows.has(0, 'conectix') && type === dynamic
  if (!isDynamic) return { allocatedBytes: file.size - footerLength }
  const at = { name: 'dynamic header', offset: Number(dataOffset), length: dynamicHeaderLength }
  const header = await readAll(file, at, signal)
  return await surveyTable(file, blocksOf(header, Number(size)), signal)
}

function blocksOf(header: DataView, diskSize: number): Blocks {
  return {
    diskSize,
    tableOffset: Number(header.getBigUint64(16)),
    entries: header.getUint32(28),
    blockSize: header.getUint32(32),
  }
}

/*
 * Block table: an entry of 4 bytes, big-endian, for each block of the disk, says at which sector of the file it stands:
 * first a bit for each of its sectors, in whole sectors, then its data. Of the bits QEMU and Hyper-V make nothing in an
 * image without a parent. Blocks are written whole, and the footer stands behind them all.
 */
async function surveyTable(file: WholeFile, blocks: Blocks, signal: AbortSignal): Promise<Survey> {
  const { diskSize, tableOffset, entries, blockSize } = blocks
  const table = { name: 'block table', offset: tableOffset, length: entries * 4 }
  const room = { size: file.size - footerLength }
  const length = Math.ceil(blockSize / sector / 8 / sector) * sector + blockSize
  let allocatedBytes = 0
  for await (const { at, bytes } of pieces(file, table, signal)) {
    for (let entry = 0; entry < bytes.byteLength; entry += 4) {
      const place = bytes.getUint32(entry)
      if (place === noBlock) continue
      const start = ((at + entry) / 4) * blockSize
      judgeBlock(room, place * sector, length, start)
      allocatedBytes += Math.max(0, Math.min(blockSize, diskSize - start))
    }
  }
  return { allocatedBytes }
}

function judgeBlock(room: { readonly size: number }, place: number, length: number, start: number) {
  const name = `block for byte ${start} of the disk`
  if (place === 0) throw damaged(`the ${name} would lie on the footer's copy; the file is damaged`)
  if (place + length > room.size) throw cutShort(name, place + length, room)
}
