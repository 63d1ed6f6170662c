import { promisify } from 'node:util'
import { constants, inflateRaw, zstdDecompress } from 'node:zlib'
import type { Compression } from './qcow2-geometry.ts'
import { zstdFrameLength } from './qcow2-zstd-frame.ts'

/** QEMU writes and reads with this window (block/qcow2-threads.c). */
const zlibWindow = 12
/** 8 MiB: four times the largest cluster, and what zstd's strongest usual level asks for. A frame may claim 128 MiB. */
const zstdWindow = 23

const decoders = {
  zlib: (bytes: Buffer, maxOutputLength: number) =>
    promisify(inflateRaw)(bytes, { windowBits: zlibWindow, maxOutputLength }),
  zstd: (bytes: Buffer, maxOutputLength: number) =>
    promisify(zstdDecompress)(bytes.subarray(0, zstdFrameLength(bytes)), {
      maxOutputLength,
      params: { [constants.ZSTD_d_windowLogMax]: zstdWindow },
    }),
} as const

/**
 * Decompresses one cluster, off the event loop. What follows the compressed bytes in their last sector is ignored.
 * @param cluster bytes that have to come out, neither more nor less
 * @returns null when the bytes are cut or damaged
 */
export async function inflate(
  bytes: Buffer,
  compression: Compression,
  cluster: number,
): Promise<Buffer | null> {
  const found = await decoders[compression](bytes, cluster).catch(() => null)
  return found?.length === cluster ? found : null
}
