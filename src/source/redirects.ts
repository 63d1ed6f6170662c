import { Refusal } from '../errors.ts'
import { shown, userInfo, withoutUserInfo, type Request } from './request.ts'

/** sources, "HTTP and HTTPS": a chain that is longer is a loop. */
export const mostRedirects = 10

const redirects = new Set([301, 302, 303, 307, 308])

export function isRedirect(status: number): boolean {
  return redirects.has(status)
}

/**
 * The request that follows a redirect. Credentials and extra headers stay with the origin that they were given for, and
 * are gone for good once it has changed. The host is judged when it is dialled.
 * @throws Refusal SOURCE_REFUSED, SOURCE_FORBIDDEN
 */
export function follow({ url, secrets }: Request, location: string | null): Request {
  const next = location === null ? null : URL.parse(unicode(location), url.href)
  if (!next) throw astray(url)
  forbidDowngrade(url, next)
  const authorization = userInfo(next)
  return {
    url: withoutUserInfo(next),
    secrets: {
      ...(next.origin === url.origin ? secrets : {}),
      ...(authorization === null ? {} : { authorization }),
    },
  }
}

/** Headers are read as Latin-1; a path that was not escaped is UTF-8 (WHATWG Fetch, "location URL"). */
function unicode(text: string): string {
  return Buffer.from(text, 'latin1').toString()
}

export function tooMany(url: URL): Refusal {
  return new Refusal(
    'SOURCE_REFUSED',
    `the source redirects more than ${mostRedirects} times, last to ${shown(url)}; check the URL`,
  )
}

function astray(url: URL): Refusal {
  return new Refusal(
    'SOURCE_REFUSED',
    `the source redirects from ${shown(url)} without a readable Location; check the URL`,
  )
}

function forbidDowngrade(from: URL, to: URL): void {
  const isHttp = to.protocol === 'http:' || to.protocol === 'https:'
  if (isHttp && !(from.protocol === 'https:' && to.protocol === 'http:')) return
  throw new Refusal(
    'SOURCE_FORBIDDEN',
    `the source redirects from ${shown(from)} to ${to.protocol}, which is not followed; give another URL`,
  )
}
