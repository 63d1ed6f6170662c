import { DecodingStream } from './decoding-stream.ts'
import { ThreadDecoder } from './thread-decoder.ts'
import { beginsWith, type Unwrapper } from './unwrapper.ts'
import { streamMagic } from './xz-container.ts'

const name = 'xz'

export const xz: Unwrapper = {
  name,
  matches: (head) => beginsWith(head, [...streamMagic]),
  open: () => new DecodingStream(name, (give) => new ThreadDecoder(name, give)),
}
