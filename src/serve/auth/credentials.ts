/** What a request shows: a name with a password or token, or a token alone. */
export type Shown = {
  /** null for a token alone. */
  readonly name: string | null
  readonly secret: string
}

/** Larger ones are not looked at: an issued token has the scopes of a hundred repositories at most. */
const longest = 16 * 1024

/**
 * The `Authorization` header (RFC 7617, RFC 6750).
 * @returns null when there is none, 'unusable' when it is neither Basic nor Bearer or not well made
 */
export function shownBy(header: string | undefined): Shown | null | 'unusable' {
  if (header === undefined) return null
  const [, scheme = '', value = ''] = /^(\S+) +(\S+) *$/.exec(header.slice(0, longest)) ?? []
  if (scheme.toLowerCase() === 'bearer') return { name: null, secret: value }
  return scheme.toLowerCase() === 'basic' ? basic(value) : 'unusable'
}

function basic(value: string): Shown | 'unusable' {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return 'unusable'
  const text = Buffer.from(value, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 0) return 'unusable'
  return { name: text.slice(0, colon), secret: text.slice(colon + 1) }
}
