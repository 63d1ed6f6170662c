import type { Limits } from './inspector.ts'
import type { Windows } from './windows.ts'

/** Where the file itself is the disk, its length is the virtual size. What has come already counts as well. */
export function lengthLimit(windows: Windows, limits: Limits): string | null {
  const size = windows.size ?? windows.received
  if (size <= limits.maxVirtualSize) return null
  return `the disk has ${size} bytes or more; at most ${limits.maxVirtualSize} are accepted`
}
