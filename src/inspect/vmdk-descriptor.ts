import type { Stranger } from './inspector.ts'

const length = 2048

/** As qemu's probe reads it: comments and empty lines, then the version. */
const text = /^(?:# Disk DescriptorFile|(?:#[^\n]*\n|[ \r]*\n)*version=[123]\r?\n)/i

/** A VMDK that is only a text: its extents are other files, by name, and may be any file of whoever opens it. */
export const vmdkDescriptor: Stranger = {
  title: 'VMDK descriptor',
  code: 'EXTERNAL_REFERENCE',
  message:
    'the file is only the descriptor of a VMDK and the disk lies in other files; make one file of ' +
    'them, in their folder: qemu-img convert -f vmdk -O qcow2 <file> disk.qcow2',
  regions: [{ from: 'start', offset: 0, length }],
  matches: (windows) => text.test(windows.upTo(0, length).toString('latin1')),
}

export type Descriptor = {
  /** Null when it is not said, or more than once. */
  readonly createType: string | null
  readonly parentId: string | null
  readonly namesParent: boolean
  readonly isEncrypted: boolean
  /** Lines that name a file with a part of the disk. */
  readonly extents: readonly string[]
}

/**
 * What the text inside a VMDK says. Readers differ in how they find a word (QEMU takes the first occurrence anywhere, even
 * in a comment), so a word counts wherever it stands, and what is said twice is not said.
 */
export function parseDescriptor(descriptor: string): Descriptor {
  return {
    createType: onlyValue(descriptor, /createType/gi, /createType\s*=\s*"?([\w-]+)"?/i),
    parentId: onlyValue(descriptor, /parentCID/gi, /parentCID\s*=\s*([0-9a-f]{1,8})\b/i),
    namesParent: /parentFileNameHint/i.test(descriptor),
    isEncrypted: /^[ \t]*encryption\.keySafe\b/im.test(descriptor),
    extents: descriptor
      .split(/[\0\r\n]+/)
      .filter((line) => /^\s*(?:RW|RDONLY|NOACCESS)\b/i.test(line)),
  }
}

function onlyValue(descriptor: string, word: RegExp, value: RegExp): string | null {
  if ([...descriptor.matchAll(word)].length !== 1) return null
  return value.exec(descriptor)?.[1] ?? null
}

/**
 * One extent in this very file: its name is a name, not a path, and means nothing once the file has another. What
 * vSphere exports says RDONLY.
 */
const ownExtent = /^\s*(?:RW|RDONLY)\s+\d+\s+SPARSE\s+"[^"/\\\0]+"\s*$/i

export function isOwnExtent(line: string): boolean {
  return ownExtent.test(line)
}
