import { decodeBzip2 } from './bzip2-decode.ts'
import { serve } from './thread-port.ts'

serve(decodeBzip2)
