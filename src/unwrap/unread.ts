import { beginsWith, type Unread } from './unwrapper.ts'

/** Compressions that are recognised and not read. */
export const unread: readonly Unread[] = [
  {
    name: 'lz4',
    command: 'lz4 -d',
    matches: (head) => beginsWith(head, [0x04, 0x22, 0x4d, 0x18]),
  },
]
