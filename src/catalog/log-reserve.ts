import { closeSync, fstatSync, openSync, writeSync } from 'node:fs'
import { errno } from '../errors.ts'

/**
 * So many bytes of the disk are the write-ahead log's before it needs them: on a disk that others fill to the last byte a few
 * hundred commits can still be made, and a deletion is one. SQLite writes over what is there from the start of the log, which it
 * does not shorten by itself; zeros are no frames to it.
 */
const reserved = 8 * 1024 * 1024
const zeros = Buffer.alloc(1024 * 1024)

/**
 * Takes them, or as many as there are. Not asynchronous, because SQLite, on this same thread, must not write between the look at the
 * size and the last zero behind it.
 * @param path of the database, whose log has to be there
 */
export function reserveLog(path: string): void {
  const log = openSync(`${path}-wal`, 'r+')
  try {
    for (let { size } = fstatSync(log); size < reserved;) {
      size += writeSync(log, zeros, 0, Math.min(zeros.length, reserved - size), size)
    }
  } catch (error) {
    if (!isFull(error)) throw error
  } finally {
    closeSync(log)
  }
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(errno(error) ?? '')
}
