import { createHash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { linesOf, unreadable, type Line, type Origin } from '../../env/file-lines.ts'
import { nameProblem } from './name.ts'
import { roles } from './role.ts'
import { stampOf } from './stamp.ts'
import type { Identity } from './visitor.ts'

type Entry = { readonly identity: Identity; readonly digest: Buffer }

/**
 * The callers of `SLIPWAY_TOKENS_FILE`. A name may have several tokens, so that one can follow another without a gap; each
 * line has a role of its own. Tokens are random, so one round of SHA-256 is enough to keep them.
 */
export class Tokens {
  readonly #entries: readonly Entry[]

  constructor(entries: readonly Entry[]) {
    this.#entries = entries
  }

  /**
   * Whose token this is. Every entry is compared in constant time.
   * @param name whose it must be; null: anybody's
   */
  find(token: string, name: string | null): Identity | null {
    const digest = createHash('sha256').update(token).digest()
    let found: Identity | null = null
    for (const entry of this.#entries) {
      const isThat = timingSafeEqual(entry.digest, digest)
      if (isThat && (name === null || entry.identity.name === name)) found = entry.identity
    }
    return found
  }

  byStamp(name: string, stamp: string): Identity | null {
    const is = ({ identity }: Entry) => identity.name === name && identity.stamp === stamp
    return this.#entries.find(is)?.identity ?? null
  }
}

export const noTokens = new Tokens([])

const roleSchema = z.enum(roles)
const wayOut =
  'a line is name:role:sha256, with the role admin, editor, viewer or puller and the hash from `printf %s "$TOKEN" | sha256sum`'

/** @throws Refusal that names the line */
export function parseTokens(text: string, origin: Origin): Tokens {
  const entries = linesOf(text).map((line) => parseLine(line, origin))
  const seen = new Set<string>()
  for (const { digest, number } of entries) {
    const hex = digest.toString('hex')
    if (seen.has(hex)) throw unreadable(origin, number, 'the same token stands in a line before')
    seen.add(hex)
  }
  return new Tokens(entries)
}

function parseLine({ number, text }: Line, origin: Origin): Entry & { readonly number: number } {
  const [name = '', role, hash = '', ...rest] = text.split(':').map((part) => part.trim())
  const problem = nameProblem(name)
  if (problem !== null) throw unreadable(origin, number, `${problem}; ${wayOut}`)
  const known = roleSchema.safeParse(role).data
  if (!known || !/^[0-9a-f]{64}$/i.test(hash) || rest.length > 0) {
    throw unreadable(origin, number, wayOut)
  }
  const stamp = stampOf('token', name, hash.toLowerCase())
  return { identity: { name, role: known, stamp }, digest: Buffer.from(hash, 'hex'), number }
}
