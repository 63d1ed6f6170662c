import type { ChecksumAlgorithm } from '../image/digest.ts'
import type { Hashes } from './digester.ts'

/** To a hashing thread, carried out in the order in which they are sent. One with a ticket is answered. */
export type Request =
  | { readonly session: number; readonly open: readonly ChecksumAlgorithm[] }
  | { readonly session: number; readonly drop: true }
  | { readonly session: number; readonly ticket: number; readonly finish: true }
  | { readonly session: number; readonly ticket: number; readonly copy: Uint8Array }
  /** Bytes of the slabs' memory, which the thread was given at its start. */
  | {
      readonly session: number
      readonly ticket: number
      readonly offset: number
      readonly length: number
    }

export type Answer = { readonly ticket: number; readonly hashes?: Hashes }
