import type { HttpSection } from '../image/data-source.ts'

/** One GET, or POST of a form: where to, and the headers that must not go anywhere else. */
export type Request = {
  /** Without user-info and fragment. */
  readonly url: URL
  /** Makes it a POST. */
  readonly form?: URLSearchParams
  /** Credentials and extra headers, by lower-case name. */
  readonly secrets: Readonly<Record<string, string>>
}

/** Credentials in `auth` come before those in the URL, and both before an `Authorization` among the extra headers. */
export function requestFor({ url, auth }: HttpSection): Request {
  const target = new URL(url)
  const authorization = authorizationOf(auth) ?? userInfo(target)
  return {
    url: withoutUserInfo(target),
    secrets: {
      ...lowerCase(auth?.headers ?? {}),
      ...(authorization === null ? {} : { authorization }),
    },
  }
}

/** A URL as it may be shown: the query and the user-info of signed and private URLs are secrets. */
export function shown(url: URL): string {
  return `${url.origin}${url.pathname}`
}

/** The Authorization that a URL's user-info stands for, null when it has none. */
export function userInfo({ username, password }: URL): string | null {
  if (username === '' && password === '') return null
  return basic(decoded(username), decoded(password))
}

export function withoutUserInfo(url: URL): URL {
  const clean = new URL(url)
  clean.username = ''
  clean.password = ''
  clean.hash = ''
  return clean
}

function authorizationOf(auth: HttpSection['auth']): string | null {
  if (auth?.bearer !== undefined) return `Bearer ${auth.bearer}`
  return auth?.basic ? basic(auth.basic.username, auth.basic.password) : null
}

/** RFC 7617 section 2.1: UTF-8. */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  )
}

/** A `%` that escapes nothing is legal in user-info (WHATWG URL) and means itself. */
function decoded(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escapes) => unescaped(escapes))
}

function unescaped(escapes: string): string {
  return Buffer.from(escapes.replaceAll('%', ''), 'hex').toString()
}
