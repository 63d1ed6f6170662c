/**
 * Takes unwrapped bytes. Resolves when there is room for more; a decoder that goes on before holds up nobody but fills
 * memory, so it may be ahead by its own fixed bound only.
 */
export type Give = (bytes: Uint8Array) => void | Promise<void>

/**
 * What turns the bytes of one file, in `DecodingStream`. Its calls never overlap, and after a failure none follows but
 * `close`.
 */
export interface Decoder {
  /**
   * Resolves when every byte was consumed and what came out was given.
   * @throws Flaw CORRUPT_ARCHIVE, UNSUPPORTED_FORMAT, DECOMPRESSION_LIMIT
   */
  write(bytes: Buffer): Promise<void>
  /**
   * Resolves when the file is complete and everything was given.
   * @throws the same; CORRUPT_ARCHIVE when the file ends too early
   */
  end(): Promise<void>
  /** Milliseconds of processor time so far, of one that has a thread for itself: less than the clock's on a full machine. */
  cpuTime?(): Promise<number>
  /** Stops what is under way, whose promise may then stay open, and frees everything. May be called again. */
  close(): void
}
