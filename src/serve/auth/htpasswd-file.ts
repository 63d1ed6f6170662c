import { linesOf, unreadable, type Line, type Origin } from '../../env/file-lines.ts'
import { nameProblem } from './name.ts'
import { stampOf } from './stamp.ts'
import type { Identity } from './visitor.ts'

export type PasswordEntry = { readonly identity: Identity; readonly hash: string }

/** The callers of `SLIPWAY_HTPASSWD_FILE`. */
export type Passwords = ReadonlyMap<string, PasswordEntry>

export const noPasswords: Passwords = new Map()

/** 16 costs seconds on any machine; every step beyond doubles that, and each check keeps a thread. */
const highestCost = 16
const bcryptHash = /^\$2[aby]\$(?<cost>\d\d)\$(?<rest>[./A-Za-z0-9]{53})$/
const wayOut = 'make it with `htpasswd -B FILE NAME`'

/** @throws Refusal that names the line */
export function parsePasswords(text: string, origin: Origin): Passwords {
  const entries = new Map<string, PasswordEntry>()
  for (const line of linesOf(text)) {
    const entry = parseLine(line, origin)
    const { name } = entry.identity
    if (entries.has(name)) {
      throw unreadable(origin, line.number, `"${name}" stands in a line before; leave one of them`)
    }
    entries.set(name, entry)
  }
  return entries
}

function parseLine({ number, text }: Line, origin: Origin): PasswordEntry {
  const colon = text.indexOf(':')
  if (colon < 0) throw unreadable(origin, number, `a line is name:hash; ${wayOut}`)
  const name = text.slice(0, colon)
  const problem = nameProblem(name)
  if (problem !== null) throw unreadable(origin, number, problem)
  const kept = text.slice(colon + 1)
  const { cost = '', rest = '' } = bcryptHash.exec(kept)?.groups ?? {}
  if (cost === '') {
    throw unreadable(origin, number, `the hash of "${name}" is not bcrypt; ${wayOut}`)
  }
  if (Number(cost) < 4 || Number(cost) > highestCost) {
    const allowed = `its cost is ${cost}, allowed: 04 to ${highestCost}`
    throw unreadable(origin, number, `the hash of "${name}" cannot be checked: ${allowed}`)
  }
  // $2y$ is how htpasswd spells what the library knows as $2b$; passwords of up to 255 bytes are hashed alike by $2a$.
  const hash = `$2b$${cost}$${rest}`
  return { identity: { name, role: 'puller', stamp: stampOf('password', name, hash) }, hash }
}
