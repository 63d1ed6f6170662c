import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'

export type Found = { readonly key: string; readonly size: number; readonly since: number }
/** `crc32` is base64, null where the server keeps none. */
export type Part = {
  readonly number: number
  readonly size: number
  readonly etag: string
  readonly crc32: string | null
}
export type OpenUpload = { readonly key: string; readonly id: string }
export type Forgotten = OpenUpload & { readonly since: number }
export type Got = { readonly body: Readable; readonly total: number }

/** As S3 wants it in a header: base64 of the big-endian number. */
export function crc32Of(bytes: Uint8Array): string {
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(bytes))
  return sum.toString('base64')
}

export function md5Of(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64')
}
