import { decodeJwt, decodeProtectedHeader, errors } from 'jose'

/** What a token says of itself, before anybody has vouched for it. */
export type Claimed = {
  readonly audiences: readonly string[]
  /** Milliseconds since 1970; null when it does not say. */
  readonly expires: number | null
}

/** API servers sign with keys of which others know the public half; who names another way has made the token up. */
const signed = /^(?:RS|ES|PS)\d{3}$|^Ed(?:DSA|25519)$/

/** Null for what no API server can have issued: a flood of that costs it nothing. */
export function claimedBy(token: string): Claimed | null {
  try {
    if (!signed.test(decodeProtectedHeader(token).alg ?? '')) return null
    const { aud = [], exp = null } = decodeJwt(token)
    return { audiences: [aud].flat(), expires: exp === null ? null : 1000 * exp }
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return null
    throw error
  }
}
