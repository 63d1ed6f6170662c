import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Flaw } from '../../errors.ts'
import { hexOf, type Digest } from '../../image/digest.ts'

/** Where the bytes of a disk go, one behind the other. */
export type Target = AsyncDisposable & {
  /** Bytes that are there. */
  readonly position: number
  readonly write: (bytes: Uint8Array, signal: AbortSignal) => Promise<void> | void
  /** No more come for now. */
  readonly keep: () => Promise<void>
  /** @returns where they are @throws Flaw CHECKSUM_MISMATCH */
  readonly finish: () => Promise<string>
}

/** Bytes for a program that reads them. It has had them already when they turn out to be wrong. */
export class Piped implements Target {
  readonly #digest: Digest
  readonly #hash = createHash('sha256')
  position = 0

  constructor(digest: Digest) {
    this.#digest = digest
  }

  async write(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#hash.update(bytes)
    this.position += bytes.length
    if (!process.stdout.write(bytes)) await once(process.stdout, 'drain', { signal })
  }

  keep(): Promise<void> {
    return Promise.resolve()
  }

  finish(): Promise<string> {
    if (this.#hash.digest('hex') === hexOf(this.#digest)) return Promise.resolve('standard output')
    return Promise.reject(wrongBytes(this.#digest))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}

export function wrongBytes(digest: Digest): Flaw {
  return new Flaw(
    'CHECKSUM_MISMATCH',
    `what came has not the digest ${digest} that the service told; nothing of it was kept, so run the command again`,
  )
}
