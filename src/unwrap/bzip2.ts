import { DecodingStream } from './decoding-stream.ts'
import { ThreadDecoder } from './thread-decoder.ts'
import { beginsWith, type Unwrapper } from './unwrapper.ts'

const name = 'bzip2'

/** "BZh", the block size 1 to 9, then a block (pi) or, of an empty file, the end (the root of pi). */
function matches(head: Uint8Array): boolean {
  const size = head[3] ?? 0
  if (!beginsWith(head, [0x42, 0x5a, 0x68]) || size < 0x31 || size > 0x39) return false
  return (
    beginsWith(head, [0x31, 0x41, 0x59, 0x26, 0x53, 0x59], 4) ||
    beginsWith(head, [0x17, 0x72, 0x45, 0x38, 0x50, 0x90], 4)
  )
}

export const bzip2: Unwrapper = {
  name,
  matches,
  open: () => new DecodingStream(name, (give) => new ThreadDecoder(name, give)),
}
