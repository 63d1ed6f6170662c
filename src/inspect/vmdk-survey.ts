import { cutShort, damaged, pieces, readAll, readHead, type Stretch } from './pieces.ts'
import type { Survey, WholeFile } from './survey.ts'
import { fromEnd } from './vmdk-footer.ts'
import {
  atEnd,
  directoryEntries,
  has,
  headerLength,
  readHeader,
  sector,
  type Header,
} from './vmdk-header.ts'
import { Windows } from './windows.ts'

/*
 * Grain directory: for each grain table its sector (4 bytes, little-endian), 0 where nothing is allocated. A grain table:
 * for each grain its sector, 0 where it is not allocated, 1 where it reads as zeros (with the flag for that). A compressed
 * grain: 0 8 its first sector on the disk, 8 4 length of the data, then the data.
 */
const entryLength = 4
const zeroGrain = 1
const grainHeader = 12

type Disk = {
  readonly file: WholeFile
  /** The header in force: the footer where there has to be one. */
  readonly header: Header
  /** Bytes. */
  readonly capacity: number
  readonly grain: number
}

/** Follows the grain directory to every grain. */
export async function surveyVmdk(file: WholeFile, signal: AbortSignal): Promise<Survey> {
  const header = await headerInForce(file, signal)
  const capacity = Number(header.capacity) * sector
  const disk = { file, header, capacity, grain: Number(header.grain) * sector }
  const walk = new Walk(disk)
  const length = Number(directoryEntries(header)) * entryLength
  const directory = { name: 'grain directory', offset: Number(header.directory) * sector, length }
  for await (const { at, bytes } of pieces(file, directory, signal)) {
    for (let offset = 0; offset < bytes.byteLength; offset += entryLength) {
      const table = bytes.getUint32(offset, true)
      if (table !== 0) await walk.table((at + offset) / entryLength, table * sector, signal)
    }
  }
  await walk.lastGrain(signal)
  return { allocatedBytes: walk.allocated }
}

async function headerInForce(file: WholeFile, signal: AbortSignal): Promise<Header> {
  const first = readHeader(await readHead(file, headerLength, signal))
  if (first.directory !== atEnd) return first
  const footer = { name: 'footer', offset: file.size - fromEnd + sector, length: headerLength }
  const { buffer, byteOffset } = await readAll(file, footer, signal)
  const windows = new Windows(headerLength)
  windows.push(new Uint8Array(buffer, byteOffset, headerLength))
  return readHeader(windows)
}

class Walk {
  readonly #disk: Disk
  readonly #isCompressed: boolean
  readonly #hasZeros: boolean
  #tableBytes = 0
  #lastGrain = 0
  allocated = 0

  constructor(disk: Disk) {
    this.#disk = disk
    this.#isCompressed = has(disk.header, 'compressed')
    this.#hasZeros = has(disk.header, 'zeroGrains')
  }

  /** The table number `index`, at `offset` in the file. */
  async table(index: number, offset: number, signal: AbortSignal): Promise<void> {
    const { file, header, grain, capacity } = this.#disk
    const first = index * header.tableEntries
    const grains = Math.min(header.tableEntries, Math.ceil(capacity / grain) - first)
    const stretch = { name: `grain table ${index}`, offset, length: grains * entryLength }
    this.#count(stretch)
    const table = await readAll(file, stretch, signal)
    for (let each = 0; each < grains; each += 1) {
      const place = table.getUint32(each * entryLength, true)
      if (place === 0 || (place === zeroGrain && this.#hasZeros)) continue
      this.#grain(first + each, place * sector)
    }
  }

  /** Tables do not share their bytes: more of them than the file could hold would be read for nothing. */
  #count({ length }: Stretch): void {
    this.#tableBytes += length
    if (this.#tableBytes <= this.#disk.file.size) return
    throw damaged('the grain directory names more grain tables than the file has room for')
  }

  #grain(index: number, offset: number): void {
    const { file, grain, capacity } = this.#disk
    const used = Math.min(grain, capacity - index * grain)
    const end = offset + (this.#isCompressed ? grainHeader : used)
    if (end > file.size) throw cutShort(`grain ${index}`, end, file)
    this.#lastGrain = Math.max(this.#lastGrain, offset)
    this.allocated += used
  }

  /** Compressed grains tell their length themselves. The last one tells whether the file is whole; one look suffices. */
  async lastGrain(signal: AbortSignal): Promise<void> {
    if (!this.#isCompressed || this.#lastGrain === 0) return
    const { file } = this.#disk
    const offset = this.#lastGrain
    const header = await readAll(file, { name: 'last grain', offset, length: grainHeader }, signal)
    const end = offset + grainHeader + header.getUint32(8, true)
    if (end > file.size) throw cutShort('last grain', end, file)
  }
}
