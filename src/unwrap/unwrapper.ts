import type { Duplex } from 'node:stream'

/** A kind of wrapping that is known by its first bytes. */
export interface Wrapping {
  /** As a message says it: `gzip`. */
  readonly name: string
  /** Looks at the first `peekLength` bytes, or fewer when there are no more. A name or a content type is never asked. */
  matches(head: Uint8Array): boolean
}

/** A wrapping that is read. */
export interface Unwrapper extends Wrapping {
  /**
   * A stream into which the wrapped bytes are written and out of which the unwrapped ones come. It ends only when every
   * byte written to it was consumed and the wrapping says that it is complete; else it fails with Flaw CORRUPT_ARCHIVE.
   */
  open(): Duplex
}

/** A wrapping that is only recognised; `command` unpacks it. */
export interface Unread extends Wrapping {
  readonly command: string
}

/** Enough for every signature, and for a short skippable frame before a zstd frame. */
export const peekLength = 512

export function beginsWith(head: Uint8Array, magic: readonly number[], offset = 0): boolean {
  return magic.every((byte, index) => head[offset + index] === byte)
}
