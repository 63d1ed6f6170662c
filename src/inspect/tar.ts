import type { Windows } from './windows.ts'

const block = 512
/** An OVA begins with its descriptor and its manifest; the disk follows at once. */
const mostMembers = 64
const disk = /\.(?:vmdk|qcow2|raw|img|vdi|vhdx?|iso)(?:\.gz)?$/i

/*
 * tar header (POSIX ustar, GNU)
 *
 *   0  100  name                 156  1  type
 * 124   12  size, octal          257  5  "ustar"
 */
export function isTar(windows: Windows): boolean {
  return windows.has(257, 'ustar')
}

/** The refusal of a tar, which names the disk inside when its header is seen. */
export function tarProblem(windows: Windows): string {
  const names = memberNames(windows)
  const kind = names.some((name) => name.endsWith('.ovf')) ? 'an OVA' : 'a tar archive'
  const found = names.find((name) => disk.test(name))
  if (found === undefined)
    return `the file is ${kind}; extract the disk and send that: tar -xf <file>`
  return `the file is ${kind} with the disk ${found} inside; extract it and send that: tar -xOf <file> '${found}' > disk`
}

function memberNames(windows: Windows): readonly string[] {
  const names: string[] = []
  let offset = 0
  while (
    names.length < mostMembers &&
    windows.holds(offset, block) &&
    windows.has(offset + 257, 'ustar')
  ) {
    const size = Number.parseInt(windows.text(offset + 124, 12), 8)
    names.push(windows.label(offset, 100).replaceAll("'", '?'))
    if (!Number.isSafeInteger(size) || size < 0) break
    offset += block + Math.ceil(size / block) * block
  }
  return names
}
