import { createHash } from 'node:crypto'
import { Refusal } from '../errors.ts'

declare const brand: unique symbol

/** `sha256:<64 hex>` or `sha512:<128 hex>`, lower case (OCI image-spec, "Digests"). Checked, hence the brand. */
export type Digest = string & { readonly [brand]: 'Digest' }
export type DigestAlgorithm = 'sha256' | 'sha512'

/** The algorithms a user may give a checksum in, with the length of their hex form. */
export const checksumLengths = { md5: 32, sha1: 40, sha256: 64, sha512: 128 } as const
export type ChecksumAlgorithm = keyof typeof checksumLengths

export const digestText = '(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})'
const pattern = new RegExp(`^${digestText}$`)

export function isDigest(text: string): text is Digest {
  return pattern.test(text)
}

/** @throws Refusal DIGEST_INVALID */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  throw new Refusal(
    'DIGEST_INVALID',
    `"${text.slice(0, 160)}" is no digest; expected sha256: or sha512: and lower-case hex`,
  )
}

export function isAlgorithm(text: string): text is DigestAlgorithm {
  return text === 'sha256' || text === 'sha512'
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`)
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}

/** The hex part alone. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1)
}
