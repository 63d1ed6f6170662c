import { createHash, randomFillSync } from 'node:crypto'
import { mkdtemp, open, rm, statfs, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { formatSize } from '../../src/image/size.ts'
import type { RandomFile } from './bench.ts'

/** The file, the pieces of it, and three servers that hold a copy; or fewer, and what the disk has not freed yet. */
const copies = 5

/** A folder that is gone when its scope ends. */
export async function openWorkspace(dir: string) {
  const folder = await mkdtemp(join(dir, 'slipway-bench-'))
  return {
    folder,
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

/** @throws Error when the disk is too small for what is about to be measured */
export async function assertRoom(dir: string, size: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir)
  const free = bavail * bsize
  if (free >= copies * size) return
  throw new Error(
    `${dir} has ${formatSize(free)} free, ${formatSize(copies * size)} are needed; give another --dir or a smaller --size`,
  )
}

const block = 1024 * 1024

/** Random bytes, which no disk, filesystem or server can make smaller, with a partition table in front. */
export async function writeRandomFile(
  path: string,
  size: number,
  signal: AbortSignal,
): Promise<RandomFile> {
  await using file = await open(path, 'wx')
  const hash = createHash('sha256')
  for (let position = 0; position < size; position += block) {
    signal.throwIfAborted()
    const bytes = randomFillSync(Buffer.alloc(Math.min(block, size - position)))
    if (position === 0) writePartitionTable(bytes, size)
    hash.update(bytes)
    await writeAll(file, bytes)
  }
  await file.sync()
  return { path, size, sha256: hash.digest('hex') }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done)).bytesWritten
  }
}

/**
 * A master boot record, so that the bytes are a raw disk by their start, always.
 *   446  status of the first entry    450  type (Linux)    454  first sector    458  sectors    510  signature
 */
function writePartitionTable(bytes: Buffer, size: number): void {
  const firstSector = 2
  bytes.fill(0, 0, 512)
  bytes[446] = 0x80
  bytes[450] = 0x83
  bytes.writeUInt32LE(firstSector, 454)
  bytes.writeUInt32LE(Math.min(Math.floor(size / 512) - firstSector, 0xff_ff_ff_ff), 458)
  bytes.writeUInt16BE(0x55_aa, 510)
}
