import { bzip2 } from './bzip2.ts'
import { gzip } from './gzip.ts'
import { unread } from './unread.ts'
import type { Unwrapper } from './unwrapper.ts'
import { xz } from './xz.ts'
import { zstd } from './zstd.ts'

/** Wrappings that are read. A new one is a file and a line here (and a line less in `unread`). */
export const unwrappers: readonly Unwrapper[] = [gzip, xz, zstd, bzip2]

/** Whether bytes that begin so are to be unwrapped, or to be refused for a wrapping that is not read. */
export function isWrapped(head: Uint8Array): boolean {
  return [...unwrappers, ...unread].some((wrapping) => wrapping.matches(head))
}
