/** To the thread: bytes of the file, its end, or that what was given has been taken. */
export type Told =
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly end: true }
  | { readonly taken: true }

/** From the thread: it wants more input, it gives bytes, it has come to a complete end, or why it cannot. */
export type Answer =
  | { readonly more: true }
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly complete: true }
  | { readonly flaw: { readonly code: FlawCode; readonly message: string } }

/** What a decoder may find. */
export const flawCodes = ['CORRUPT_ARCHIVE', 'DECOMPRESSION_LIMIT', 'UNSUPPORTED_FORMAT'] as const
export type FlawCode = (typeof flawCodes)[number]
