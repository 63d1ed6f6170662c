import { isSparseKey, type Extensions } from './extensions.ts'
import { shown, unsafe } from './flaws.ts'
import { paxRecords, paxSize } from './pax-records.ts'
import { ground } from './place.ts'
import { text, type Header } from './tar-header.ts'

/** What a member is, by its typeflag. */
const types = {
  '\0': 'file',
  '0': 'file',
  '1': 'hard link',
  '2': 'symbolic link',
  '3': 'character device',
  '4': 'block device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'contiguous file',
} as const

type Type = (typeof types)[keyof typeof types]

export type Member = {
  readonly name: string
  readonly type: Type
  /** Bytes that follow the header. */
  readonly size: number
  /** Of links, what they point at. */
  readonly linkname: string
}

/** PAX goes before GNU, and both before the header. */
export function memberOf(header: Header, extensions: Extensions): Member {
  const pax = paxRecords(extensions.x ?? none)
  const long = extensions.L ? text(extensions.L) : undefined
  const longLink = extensions.K ? text(extensions.K) : undefined
  const path = pax.get('path')
  const name = path ?? long ?? header.name
  const own = path !== undefined && header.name === nameless ? name : header.name
  agree([name, own, long ?? name, pax.get('GNU.sparse.name') ?? name])
  const isSparse = [...pax.keys()].some(isSparseKey)
  if (isSparse && ground(name) !== 'outside') throw unsafe(`${shown(name)} is sparse; ${alone}`)
  return {
    name,
    ...typeAndSize(name, header.flag, sizeOf(name, header.size, pax.get('size'))),
    linkname: pax.get('linkpath') ?? longLink ?? header.linkname,
  }
}

const none = Buffer.alloc(0)

/** What tar-stream's packer puts into a header whose name only a PAX record can hold. */
const nameless = 'PaxHeader'

/** How to build a layer that leaves nothing to interpret. */
export const alone = 'build the image with COPY of the one disk file to /disk/'

/** A short name before a long one may be cut, but nobody may find the disk by the one and not by the other. */
function agree([name = '', ...others]: readonly string[]): void {
  const other = others.find((other) => other !== name && ground(other) !== ground(name))
  if (other === undefined) return
  throw unsafe(`one member has the names "${shown(name)}" and "${shown(other)}"; ${alone}`)
}

/** From 8 GiB on the header's own field may say 0; any other number has to be the same. */
function sizeOf(name: string, size: number, pax: string | undefined): number {
  const told = pax === undefined ? size : paxSize(pax)
  if (size === 0 || size === told) return told
  throw unsafe(`${shown(name)} has the sizes ${size} and ${told}; ${alone}`)
}

/**
 * Bytes may follow the header of a file only: of anything else some readers take a size for bytes to come, others do not.
 * @throws Flaw UNSAFE_ARCHIVE
 */
function typeAndSize(name: string, flag: string, size: number): { type: Type; size: number } {
  const type = typeOf(name, flag)
  const hasBytes = type === 'file' || type === 'contiguous file'
  if (size === 0 || hasBytes) return { type, size }
  throw unsafe(`${shown(name)} is a ${type} of ${size} bytes; ${alone}`)
}

/** Before ustar a directory was a file with a slash behind its name; since then some readers take it for a file. */
function typeOf(name: string, flag: string): Type {
  const type = isTypeflag(flag) ? types[flag] : null
  if (type === 'file' && name.endsWith('/')) {
    if (flag === '\0' || ground(name) === 'outside') return 'directory'
    throw unsafe(`${shown(name)} is a file with the name of a directory; ${alone}`)
  }
  if (type) return type
  if (flag === 'S') throw unsafe(`${shown(name)} is sparse as GNU tar writes it; ${alone}`)
  throw unsafe(`${shown(name)} is of a type that readers understand differently: ${shown(flag)}`)
}

function isTypeflag(flag: string): flag is keyof typeof types {
  return Object.hasOwn(types, flag)
}
