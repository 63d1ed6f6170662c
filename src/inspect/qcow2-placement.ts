import { cutShort, damaged, type Stretch } from './pieces.ts'
import type { Geometry } from './qcow2-geometry.ts'

/**
 * Whether a table that only another table names begins at a cluster and lies in the file. One without entries may lie
 * anywhere.
 * @throws Flaw INVALID_HEADER
 */
export function judgePlace(
  file: { readonly size: number },
  { cluster }: Geometry,
  { name, offset, length }: Stretch,
): void {
  if (length === 0) return
  if (offset === 0 || offset % cluster !== 0) {
    throw damaged(`the ${name} does not begin at a cluster behind the header; the file is damaged`)
  }
  if (offset + length > file.size) throw cutShort(name, offset + length, file)
}
