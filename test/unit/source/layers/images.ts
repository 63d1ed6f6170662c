import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect } from 'vitest'
import { Flaw, type Code } from '../../../../src/errors.ts'
import { digestOf, type Digest } from '../../../../src/image/digest.ts'
import { findDisk, type Layer } from '../../../../src/source/layers/find-disk.ts'
import { uncounted, type Tally } from '../../../../src/source/tally.ts'
import { noise } from '../../../fixtures/noise.ts'
import type { Entry } from '../../../fixtures/tar-by-hand.ts'

export const content = noise(3000)

/** The disk as an entry of a tar. */
export const disk: Entry = { name: 'disk/x.img', data: content }

export const file = (name: string, data = Buffer.from(name)): Entry => ({ name, data })
export const folder = (name: string): Entry => ({ name, flag: '5' })

export type Stored = {
  /** As the registry has it. */
  readonly blob: Buffer
  readonly diffId?: Digest | null
  readonly digest?: Digest
  readonly size?: number
  readonly mediaType?: string
  /** Lengths of the pieces that it comes in; the last one goes on. */
  readonly pieces?: readonly number[]
}

export function layer(stored: Buffer | Stored): Layer {
  const { blob, pieces = [], ...rest } = Buffer.isBuffer(stored) ? plain(stored) : stored
  return {
    part: {
      mediaType: rest.mediaType ?? 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: rest.digest ?? digestOf(blob),
      size: rest.size ?? blob.length,
      annotations: {},
    },
    diffId: rest.diffId ?? null,
    open: async () => Readable.from(cut(blob, pieces), { objectMode: false }),
  }
}

export function plain(tar: Buffer): Stored {
  return { blob: tar, diffId: digestOf(tar) }
}

export function gzipped(tar: Buffer): Stored {
  return { blob: gzipSync(tar), diffId: digestOf(tar), mediaType: 'application/x.tar+zstd' }
}

export function zstd(tar: Buffer): Stored {
  return { blob: zstdCompressSync(tar), diffId: digestOf(tar), mediaType: 'application/x.tar+gzip' }
}

function cut(blob: Buffer, lengths: readonly number[]): readonly Buffer[] {
  const pieces: Buffer[] = []
  let at = 0
  for (const length of lengths) {
    pieces.push(blob.subarray(at, at + length))
    at += length
  }
  return [...pieces, blob.subarray(at)].filter(({ length }) => length > 0)
}

export const enough = { maxOutput: 100_000_000 }

/** The disk of an image, read to its end. Layers are given as in a manifest, the lowest first. */
export async function find(layers: readonly (Buffer | Stored)[], tally: Tally = uncounted) {
  const signal = AbortSignal.timeout(15_000)
  const { body, ...found } = await findDisk(layers.map(layer), { ...enough, tally }, signal)
  return { ...found, bytes: await buffer(body) }
}

/** @returns the message of the flaw that an image is refused with, wherever it shows */
export async function refusal(code: Code, layers: readonly (Buffer | Stored)[]): Promise<string> {
  const outcome = await find(layers).catch((error: unknown) => error)
  expect(outcome).toBeInstanceOf(Flaw)
  expect(outcome).toMatchObject({ code })
  return outcome instanceof Flaw ? outcome.message : ''
}

/** Holds that the disk is found, with all its bytes. */
export async function expectDisk(layers: readonly (Buffer | Stored)[], name = 'disk/x.img') {
  const found = await find(layers)
  expect(found).toMatchObject({ name, size: content.length })
  expect(found.bytes.equals(content)).toBe(true)
  return found
}
