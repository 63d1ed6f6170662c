import { Refusal } from '../errors.ts'
import { isDigest, type Digest } from '../image/digest.ts'
import { pathOf } from './path.ts'
import type { Rest } from './rest.ts'

/** The disk file of an image, as the service tells of it. */
export type DiskFile = {
  /** Bytes. */
  readonly size: number
  readonly digest: Digest
  /** What the service calls it, which is not to be relied upon; empty where it says nothing. */
  readonly fileName: string
}

/** Milliseconds without a byte after which the connection counts as dead. */
const silence = 60_000

/**
 * Asks for the first byte alone, as what refuses it has words that HEAD would not bring.
 * @throws what the service says; Refusal UNSUPPORTED when it does not tell what it serves
 */
export async function diskOf(rest: Rest, name: string, signal: AbortSignal): Promise<DiskFile> {
  const { headers, pieces } = await rest.read(
    diskPath(name),
    { range: 'bytes=0-0' },
    silence,
    signal,
  )
  await Array.fromAsync(pieces)
  const digest = String(headers['etag'] ?? '').replaceAll('"', '')
  const [, size] = /^bytes 0-0\/(\d+)$/.exec(String(headers['content-range'])) ?? []
  const fileName = /filename="([^"]*)"/.exec(String(headers['content-disposition']))?.[1] ?? ''
  if (isDigest(digest) && size !== undefined) return { size: Number(size), digest, fileName }
  throw new Refusal('UNSUPPORTED', `what serves the disk of "${name}" does not tell its digest`)
}

/**
 * The bytes of that file from one on (http-api, `GET …/disk`).
 * @throws as `Rest.read`; Refusal UNSUPPORTED when the image has another disk by now
 */
export async function openDisk(
  rest: Rest,
  name: string,
  { digest, from }: Pick<DiskFile, 'digest'> & { readonly from: number },
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const asked = { range: `bytes=${from}-`, 'if-range': `"${digest}"` }
  const { status, pieces, drop } = await rest.read(diskPath(name), asked, silence, signal)
  if (status === 206) return pieces
  drop()
  throw new Refusal(
    'UNSUPPORTED',
    `the image "${name}" was replaced by another one meanwhile; run the command again`,
  )
}

function diskPath(name: string): string {
  return `${pathOf(name)}/disk`
}
