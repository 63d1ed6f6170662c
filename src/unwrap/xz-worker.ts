import { openLiblzma } from './liblzma.ts'
import { serve } from './thread-port.ts'
import { decodeXz } from './xz-decode.ts'

using liblzma = await openLiblzma()
serve((port) => decodeXz(liblzma, port))
