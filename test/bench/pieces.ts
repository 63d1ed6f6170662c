import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Bench, RandomFile } from './bench.ts'

/** Cuts the file into so many others, no two of which are equal; without a rest all of them are as large. */
export async function pieces(
  count: number,
  folder: string,
  { file, signal }: Bench,
): Promise<readonly RandomFile[]> {
  await mkdir(folder, { recursive: true })
  const size = Math.floor(file.size / count)
  const made: RandomFile[] = []
  for (let at = 0; at < count; at += 1) {
    made.push(await copy(file.path, { start: at * size, size }, join(folder, String(at)), signal))
  }
  return made
}

async function copy(
  from: string,
  { start, size }: { readonly start: number; readonly size: number },
  path: string,
  signal: AbortSignal,
): Promise<RandomFile> {
  const hash = createHash('sha256')
  const hashed = async function* (bytes: AsyncIterable<Buffer>) {
    for await (const chunk of bytes) {
      hash.update(chunk)
      yield chunk
    }
  }
  const source = createReadStream(from, { start, end: start + size - 1, highWaterMark: 1024 ** 2 })
  await pipeline(source, hashed, createWriteStream(path, { flags: 'wx' }), { signal })
  return { path, size, sha256: hash.digest('hex') }
}

export function sizeOf(files: readonly RandomFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}
