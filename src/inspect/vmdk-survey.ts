import { cutShort, damaged, pieceLength, pieces, readAll, readHead } from './pieces.ts'
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
/** Bytes of a table with 512 entries, as everybody makes them. */
const usualTable = 2048

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
  await walk.finish(signal)
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

/** Tables that were named and not read yet: from the grain `first` on, at `offset` in the file. */
type Run = { readonly first: number; readonly offset: number; readonly length: number }
const noRun: Run = { first: 0, offset: 0, length: 0 }

class Walk {
  readonly #disk: Disk
  readonly #isCompressed: boolean
  readonly #hasZeros: boolean
  #tableBytes = 0
  #run = noRun
  #lastGrain = 0
  allocated = 0

  constructor(disk: Disk) {
    this.#disk = disk
    this.#isCompressed = has(disk.header, 'compressed')
    this.#hasZeros = has(disk.header, 'zeroGrains')
  }

  /** The table number `index`, at `offset` in the file. */
  async table(index: number, offset: number, signal: AbortSignal): Promise<void> {
    const { header, grain, capacity } = this.#disk
    const first = index * header.tableEntries
    const grains = Math.min(header.tableEntries, Math.ceil(capacity / grain) - first)
    const length = grains * entryLength
    const { first: runs, offset: start, length: before } = this.#run
    const follows = start + before === offset && runs + before / entryLength === first
    if (!follows || before + length > pieceLength) await this.#readRun(signal)
    if (this.#run.length === 0) this.#run = { first, offset, length }
    else this.#run = { ...this.#run, length: before + length }
  }

  /** All tables were named. */
  async finish(signal: AbortSignal): Promise<void> {
    await this.#readRun(signal)
    await this.#judgeLastGrain(signal)
  }

  /** Tables lie one behind the other as a rule, and are read so. */
  async #readRun(signal: AbortSignal): Promise<void> {
    const { first, offset, length } = this.#run
    this.#run = noRun
    if (length === 0) return
    this.#count(Math.max(length, usualTable))
    const { file, header } = this.#disk
    const name = `grain table ${Math.floor(first / header.tableEntries)}`
    const entries = await readAll(file, { name, offset, length }, signal)
    for (let at = 0; at < length; at += entryLength) {
      const place = entries.getUint32(at, true)
      if (place === 0 || (place === zeroGrain && this.#hasZeros)) continue
      this.#grain(first + at / entryLength, place * sector)
    }
  }

  /**
   * Tables do not share their bytes: more of them than the file could hold would be read for nothing. Each reading counts
   * as one of a table of the usual length, so that tiny ones, which nobody makes, do not make it cheap to cause many.
   */
  #count(length: number): void {
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
  async #judgeLastGrain(signal: AbortSignal): Promise<void> {
    if (!this.#isCompressed || this.#lastGrain === 0) return
    const { file } = this.#disk
    const offset = this.#lastGrain
    const header = await readAll(file, { name: 'last grain', offset, length: grainHeader }, signal)
    const end = offset + grainHeader + header.getUint32(8, true)
    if (end > file.size) throw cutShort('last grain', end, file)
  }
}
