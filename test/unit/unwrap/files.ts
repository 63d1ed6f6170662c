import { execFileSync } from 'node:child_process'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { Flaw } from '../../../src/errors.ts'
import type { Port } from '../../../src/unwrap/thread-port.ts'
import { unwrap } from '../../../src/unwrap/unwrap.ts'
import { noise } from '../../fixtures/noise.ts'

/** What a disk is like: noise, zeros, text. */
export const disk = Buffer.concat([
  noise(60_000),
  Buffer.alloc(150_000),
  Buffer.from('slipway takes images in, '.repeat(2000)),
  noise(1000, 7),
])

/** What a program makes of bytes on its standard input. */
export function filtered(program: string, args: readonly string[], input: Buffer): Buffer {
  return execFileSync(program, args, { input, maxBuffer: 1e9, stdio: ['pipe', 'pipe', 'ignore'] })
}

export function whole(...pieces: readonly Buffer[]): Readable {
  return Readable.from(pieces, { objectMode: false })
}

export async function unpack(...pieces: readonly Buffer[]): Promise<Buffer> {
  const limits = { maxOutput: 1_000_000_000 }
  const { body } = await unwrap(whole(...pieces), limits, AbortSignal.timeout(15_000))
  return buffer(body)
}

export function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...places, bytes.length].sort((one, other) => one - other)
  return sorted.map((place, index) => bytes.subarray(sorted[index - 1] ?? 0, place))
}

/** The same numbers on every run. */
export function numbers(count: number, min: number, max: number, seed: number): number[] {
  return fc.sample(fc.integer({ min, max }), { numRuns: count, seed })
}

/** Holds that damaged files are refused with a Flaw, or at least give the very bytes, and says how many are refused. */
export async function refusals(
  files: readonly Buffer[],
  decode: (file: Buffer) => Buffer | Promise<Buffer>,
  expected: Buffer,
): Promise<number> {
  let refused = 0
  for (const file of files) {
    try {
      expect((await decode(file)).equals(expected)).toBe(true)
    } catch (error) {
      if (!(error instanceof Flaw)) throw error
      refused += 1
    }
  }
  return refused
}

/** One bit each, behind the signature: without that it is another file. */
export function flipped(bytes: Buffer, signature: number, count: number, seed: number): Buffer[] {
  return numbers(count, signature * 8, bytes.length * 8 - 1, seed).map((bit) => {
    const copy = Buffer.from(bytes)
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    return copy
  })
}

/** Stands in for a thread: all input is there, and nothing waits. */
export function atOnce(decode: (port: Port) => void, pieces: readonly Buffer[]): Buffer {
  const input = [...pieces]
  const output: Uint8Array[] = []
  decode({
    read: () => input.shift() ?? null,
    write: (bytes) => void output.push(bytes),
  })
  return Buffer.concat(output)
}
