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
