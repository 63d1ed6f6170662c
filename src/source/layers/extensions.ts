import { damaged, shown, unsafe } from './flaws.ts'
import { paxRecords } from './pax-records.ts'

/** What headers in front of a member's own say of it, by their typeflag. */
export type Extensions = {
  /** Records of PAX. */
  readonly x?: Buffer
  /** GNU's long name and long link, ended with NUL. */
  readonly L?: Buffer
  readonly K?: Buffer
}

/** `g` holds records of PAX for all members that follow. */
type Flag = 'x' | 'L' | 'K' | 'g'

export function isExtension(flag: string): flag is Flag {
  return ['x', 'L', 'K', 'g'].includes(flag)
}

/** @throws Flaw UNSAFE_ARCHIVE, CORRUPT_ARCHIVE */
export function extend(extensions: Extensions, flag: Flag, data: Buffer): Extensions {
  if (flag === 'g') checkGlobal(data)
  if (flag === 'g' && Object.keys(extensions).length === 0) return extensions
  if (flag !== 'g' && extensions[flag] === undefined) return { ...extensions, [flag]: data }
  throw damaged(`a member's extended headers are not in order: "${flag}" comes too late or twice`)
}

/** Some readers heed what is said of all members, others do not; so it may say nothing of names and sizes. */
function checkGlobal(data: Buffer): void {
  const found = [...paxRecords(data).keys()].find(
    (key) => ['path', 'linkpath', 'size'].includes(key) || isSparseKey(key),
  )
  if (found !== undefined) throw unsafe(`a global PAX header sets "${shown(found)}"`)
}

/** GNU's three ways to say in PAX that a file has holes. */
export function isSparseKey(key: string): boolean {
  return key.startsWith('GNU.sparse.')
}
