import { createSecretKey, randomUUID, type KeyObject } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import { z } from 'zod'
import { accessSchema, type Access } from './scope.ts'

/** Seconds. Long enough for a client to begin what it wants; a transfer that has begun goes on. */
export const lifetime = 300
const issuer = 'slipway'

/** A token without a name is for a caller without credentials. */
const claimsSchema = z.object({
  sub: z.string().optional(),
  stamp: z.string().optional(),
  access: accessSchema,
})

export type Holder = { readonly name: string; readonly stamp: string }
export type Claims = { readonly holder: Holder | null; readonly access: Access }
export type Verdict = Claims | 'lapsed' | 'forged'

/** Short-lived tokens of the registry: JWT (RFC 7519), signed by HS256 with a key of this service. */
export class IssuedTokens {
  readonly #key: KeyObject
  readonly #now: () => number
  readonly #wall: () => number

  /**
   * @param now milliseconds since 1970 as they were when the process began, with those that have passed since: no token lives
   * longer because somebody sets the clock
   * @param wall milliseconds since 1970, by which clients are told
   */
  constructor(key: Uint8Array, now: () => number, wall = now) {
    this.#key = createSecretKey(key)
    this.#now = now
    this.#wall = wall
  }

  /** @param service what the token is for (the `service` of the challenge) */
  async issue({ holder, access }: Claims, service: string): Promise<{ token: string; at: Date }> {
    const seconds = Math.floor(this.#now() / 1000)
    const unsigned = new SignJWT({ access, ...(holder && { stamp: holder.stamp }) })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(issuer)
      .setAudience(service)
      .setIssuedAt(seconds)
      .setNotBefore(seconds)
      .setExpirationTime(seconds + lifetime)
      .setJti(randomUUID())
    if (holder) unsigned.setSubject(holder.name)
    return {
      token: await unsigned.sign(this.#key),
      at: new Date(Math.floor(this.#wall() / 1000) * 1000),
    }
  }

  /** What a token says, once everything about it has been found to be right. */
  async verify(token: string, service: string): Promise<Verdict> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ['HS256'],
        issuer,
        audience: service,
        currentDate: new Date(this.#now()),
        requiredClaims: ['exp', 'nbf', 'iat', 'jti'],
      })
      const { sub, stamp, access } = claimsSchema.parse(payload)
      const isHeld = sub !== undefined && stamp !== undefined
      return { holder: isHeld ? { name: sub, stamp } : null, access }
    } catch (error) {
      return verdictOn(error)
    }
  }
}

/** The signature is checked before the claims: only what was issued here can be too old, too new or for another service. */
function verdictOn(error: unknown): 'lapsed' | 'forged' {
  if (error instanceof errors.JWTExpired) return 'lapsed'
  if (error instanceof errors.JWTClaimValidationFailed) return 'lapsed'
  if (error instanceof errors.JOSEError) return 'forged'
  throw error
}

/** Three parts in base64url: what a signed token looks like, as a token of the tokens file does by chance alone. */
export function looksIssued(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)
}
