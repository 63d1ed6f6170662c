import type { Format } from '../image/format.ts'
import { inspectors } from './table.ts'

/** A file that lies whole on a disk, so that any place of it can be read. */
export type WholeFile = {
  /** Bytes. */
  readonly size: number
  /**
   * The bytes from `offset` on; fewer than `length` only where the file ends before.
   * @throws the reason of the signal; Outage STORAGE_UNAVAILABLE
   */
  read(offset: number, length: number, signal: AbortSignal): Promise<Buffer>
}

/** What only the tables tell, which lie anywhere in the file. */
export type Survey = {
  /** Bytes of the guest's disk for which the file holds data; what reads as zeros without being stored is left out. */
  readonly allocatedBytes: number
}

/**
 * The second look, at a file that `Inspection` has accepted as `format` and that has all its bytes: follows every table
 * to its end. Null for formats without tables.
 * @throws Flaw INVALID_HEADER when one leads out of the file or contradicts another
 */
export async function survey(
  format: Format,
  file: WholeFile,
  signal: AbortSignal,
): Promise<Survey | null> {
  const inspector = inspectors.find((each) => each.format === format)
  return (await inspector?.survey?.(file, signal)) ?? null
}
