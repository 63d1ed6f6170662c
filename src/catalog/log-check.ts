import { closeSync, openSync, readSync } from 'node:fs'
import type Sqlite from 'better-sqlite3'
import { z } from 'zod'
import { Outage } from '../errors.ts'

/*
 * The write-ahead log (sqlite.org/fileformat2.html, "The Write-Ahead Log"), all numbers big-endian:
 *
 *     0  magic: 0x377f0682, or 0x377f0683 where checksums are made of big-endian words
 *     8  page size in bytes
 *    16  salt, 8 bytes, another one each time the log is written from its start
 *    24  checksum of the 24 bytes before, 8 bytes
 *    32  frames, each: 8 bytes of page number and size, the salt, a checksum (over these 8 bytes and the page, going on from
 *        the one before), and the page
 */
const magic = 0x377f0682
const headSize = 32
const frameHeadSize = 24

const counts = z.tuple([z.object({ log: z.int() })])

/**
 * Reads all that the log is taken to hold. The system may have dropped what it could not write, and give what was there before.
 * @param path of the database
 * @throws Outage when it is not what was written
 */
export function assertLogWhole(database: Sqlite.Database, path: string): void {
  const [{ log: frames }] = counts.parse(database.pragma('wal_checkpoint(NOOP)'))
  const file = openSync(`${path}-wal`, 'r')
  try {
    if (frames <= 0 || isWhole(file, frames)) return
  } finally {
    closeSync(file)
  }
  throw new Outage(
    'STORAGE_UNAVAILABLE',
    'the disk has lost the newest entries of the catalog, none of which had been promised; start Slipway again, and look at the disk',
  )
}

function isWhole(file: number, frames: number): boolean {
  const head = read(file, headSize, 0)
  const isBigEndian = head.readUInt32BE(0) !== magic
  const salt = head.subarray(16, 24)
  const sum = new Checksum(isBigEndian)
  sum.add(head.subarray(0, 24))
  if (!sum.equals(head.subarray(24))) return false
  const frameSize = frameHeadSize + head.readUInt32BE(8)
  for (let index = 0; index < frames; index += 1) {
    const frame = read(file, frameSize, headSize + index * frameSize)
    sum.add(frame.subarray(0, 8))
    sum.add(frame.subarray(frameHeadSize))
    if (!frame.subarray(8, 16).equals(salt) || !sum.equals(frame.subarray(16, 24))) return false
  }
  return true
}

/** Zeros stand for what is not there. */
function read(file: number, length: number, position: number): Buffer {
  const bytes = Buffer.alloc(length)
  readSync(file, bytes, 0, length, position)
  return bytes
}

/** Two sums over pairs of words, each of them with the other one. */
class Checksum {
  readonly #isBigEndian: boolean
  #first = 0
  #second = 0

  constructor(isBigEndian: boolean) {
    this.#isBigEndian = isBigEndian
  }

  /** @param bytes a multiple of 8 */
  add(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 8) {
      this.#first = (this.#first + this.#word(bytes, at) + this.#second) >>> 0
      this.#second = (this.#second + this.#word(bytes, at + 4) + this.#first) >>> 0
    }
  }

  equals(stored: Buffer): boolean {
    return stored.readUInt32BE(0) === this.#first && stored.readUInt32BE(4) === this.#second
  }

  #word(bytes: Buffer, at: number): number {
    return this.#isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)
  }
}
