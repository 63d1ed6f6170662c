import { spawn } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { unwrap } from '../../../src/unwrap/unwrap.ts'
import type { Bench, Contender, Measurement } from '../bench.ts'
import { mixed } from '../mixed.ts'
import { decompressing } from '../peers/decompress.ts'
import { gzip, bzip2, xz, zstd, type Program } from '../programs.ts'

const mebibyte = 1024 * 1024

type Compression = {
  readonly program: Program
  /** Bytes: what the slowest of both does in some ten seconds. */
  readonly size: number
  readonly options: readonly string[]
}

const compressions: readonly Compression[] = [
  { program: gzip, size: 512 * mebibyte, options: ['-6'] },
  { program: zstd, size: 1024 * mebibyte, options: ['-3', '-T1'] },
  { program: xz, size: 256 * mebibyte, options: ['-1', '-T1'] },
  { program: bzip2, size: 64 * mebibyte, options: ['-9'] },
]

/** Out of a wrapping, bytes of the disk a second: our stream in this process, and the program with its output thrown away. */
export const unwrapping: readonly Measurement[] = compressions.map((compression) => ({
  name: `unwrap-${compression.program.name}`,
  title: `mixed data out of ${compression.program.name}`,
  unit: 'bytes',
  needs: [compression.program],
  targets: [],
  async open(bench) {
    const path = await wrapped(compression, bench)
    return {
      bytes: compression.size,
      contenders: [ours(path, compression, bench), decompressing(compression.program, path, bench)],
    }
  },
}))

async function wrapped({ program, options, size }: Compression, bench: Bench): Promise<string> {
  const path = join(bench.folder, `mixed.${program.name}`)
  const child = spawn(program.name, ['-c', ...options], { stdio: ['pipe', 'pipe', 'inherit'] })
  const { signal } = bench
  await Promise.all([
    pipeline(mixed(size), child.stdin, { signal }),
    pipeline(child.stdout, createWriteStream(path), { signal }),
  ])
  const packed = (await stat(path)).size
  bench.say(`${program.name} made ${size / mebibyte} MiB to ${(packed / mebibyte).toFixed(0)} MiB`)
  return path
}

function ours(path: string, { size }: Compression, { signal }: Bench): Contender {
  const run = async () => {
    const body = createReadStream(path, { highWaterMark: mebibyte })
    const unwrapped = await unwrap(body, { maxOutput: size }, signal)
    let bytes = 0
    for await (const chunk of unwrapped.body) bytes += chunk.length
    if (bytes !== size) throw new Error(`${path} gave ${bytes} bytes instead of ${size}`)
  }
  return { name: 'slipway', pid: null, begin: async () => ({ run, end: nothing }) }
}

const nothing = async () => {}
