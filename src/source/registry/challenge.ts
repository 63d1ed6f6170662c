/** One way to come in that a registry names: `Bearer realm="…",service="…"`. */
export type Challenge = {
  /** In lower case. */
  readonly scheme: string
  /** By name in lower case; the first value where a name stands twice. */
  readonly parameters: ReadonlyMap<string, string>
}

/** RFC 9110 section 5.6.2. */
const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const gap = /[\s,]*/y
const scheme = new RegExp(token, 'y')
/** Section 11.2, for schemes like Negotiate; it stands alone, up to a comma or the end. */
const token68 = /\s+[A-Za-z0-9._~+/-]+=*\s*(?=,|$)/y
/** A value without quotes may hold more here than section 11.2 allows, because realms are written so. */
const parameter = new RegExp(
  `[\\s,]*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]+))`,
  'y',
)

/** Headers are 16 KiB together at most; what is longer is no challenge. */
const longest = 16 * 1024

/**
 * The challenges of all WWW-Authenticate headers (RFC 9110 section 11.6.1): several in one, or one in each. What cannot be
 * read ends its header; what came before it counts.
 */
export function parseChallenges(values: readonly string[]): readonly Challenge[] {
  return values.flatMap((value) => [...challengesIn(value.slice(0, longest))])
}

function* challengesIn(text: string): Generator<Challenge> {
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    at += found?.[0].length ?? 0
    return found
  }
  for (;;) {
    take(gap)
    const name = take(scheme)?.[0]
    if (name === undefined) return
    const parameters = new Map<string, string>()
    if (!take(token68))
      for (let next = take(parameter); next; next = take(parameter)) add(next, parameters)
    yield { scheme: name.toLowerCase(), parameters }
  }
}

function add([, name = '', quoted, plain = '']: RegExpExecArray, to: Map<string, string>): void {
  const key = name.toLowerCase()
  if (!to.has(key)) to.set(key, quoted?.replaceAll(/\\(.)/g, '$1') ?? plain)
}
