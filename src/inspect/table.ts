import type { Inspector, Signature, Stranger } from './inspector.ts'
import { iso } from './iso.ts'
import { qcow2 } from './qcow2.ts'
import { raw } from './raw.ts'
import { recognised } from './recognised.ts'
import { vdi } from './vdi.ts'
import { vhd } from './vhd.ts'
import { vhdx } from './vhdx.ts'
import { vmdk } from './vmdk.ts'

/** Formats with a signature. A new one is a file and a line here (and a line less in `recognised`). */
const containers: readonly Inspector[] = [qcow2, vmdk, vdi, vhd, vhdx, iso]

/** All formats that are accepted. The last is what nothing else matched. */
export const inspectors: readonly Inspector[] = [...containers, raw]

export const fallback = raw

/** Everything that can be known by its bytes. Two of them at once are ambiguous. */
export const signatures: readonly (Inspector | Stranger)[] = [...containers, ...recognised]

/** Bytes from the start after which every signature there has been seen. */
export const decisionLength = Math.max(...signatures.map(startLength))

function startLength({ regions }: Signature): number {
  const ends = regions
    .filter(({ from }) => from === 'start')
    .map((each) => each.offset + each.length)
  return Math.max(0, ...ends)
}
