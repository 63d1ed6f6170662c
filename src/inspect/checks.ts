import type { Check, Limits } from './inspector.ts'
import type { Windows } from './windows.ts'

type Problem<Header> = (header: Header, windows: Windows, limits: Limits) => string | null

/** Makes checks over the header that `read` finds: it is read anew for each, since more of it may have come. */
export function checksOver<Header>(read: (windows: Windows) => Header) {
  return (name: string, code: Check['code'], problem: Problem<Header>): Check => ({
    name,
    code,
    problem: (windows, limits) => problem(read(windows), windows, limits),
  })
}

/** A disk larger than allowed, or than a number can count in bytes. */
export function claimsTooMuch(size: bigint, { maxVirtualSize }: Limits): string | null {
  if (size <= maxVirtualSize && size <= Number.MAX_SAFE_INTEGER) return null
  return `the disk claims ${size} bytes; at most ${maxVirtualSize} are accepted`
}
