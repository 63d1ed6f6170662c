import { STATUS_CODES } from 'node:http'
import { Refusal, errno, type Failure, type Outage } from '../errors.ts'
import { isCertificateError, reasonOf, seconds, unavailable } from './breaks.ts'
import type { Proxy } from './proxies.ts'

/** How the way through a proxy fails, in words. What its administrator can mend is an outage, as of any machine. */

/**
 * What a failure at the proxy is the cause of: it says nothing about the source, so its own code is out of sight of those who
 * look for the source's.
 */
export class ProxyBreak extends Error {
  constructor(cause?: unknown) {
    super('the proxy gave no way', { cause })
    this.name = 'ProxyBreak'
  }
}

/** There is no connection to the proxy. */
export function unreachableProxy(cause: unknown, { name }: Proxy, timeout: number): Outage {
  const code = errno(cause) ?? ''
  const message = isCertificateError(code)
    ? `the certificate of the proxy ${name} is not trusted (${code}); an administrator can name its CA in SSL_CERT_FILE`
    : `no connection to the proxy ${name}: ${reasonOf(code, timeout)}; check that it is up, and HTTP_PROXY and HTTPS_PROXY`
  return unavailable(message, new ProxyBreak(cause))
}

export function silentProxy({ name }: Proxy, timeout: number): Outage {
  const message = `the proxy ${name} opened no tunnel within ${seconds(timeout)}; check that the source is up`
  return unavailable(message, new ProxyBreak())
}

export function brokenProxy(cause: unknown, { name }: Proxy): Outage {
  const message = `the proxy ${name} broke the connection instead of opening a tunnel; check that it is an HTTP proxy`
  return unavailable(message, new ProxyBreak(cause))
}

export function unauthorized({ name, authorization }: Proxy): Outage {
  const what = authorization === null ? 'asks for credentials' : 'does not take the credentials'
  const message = `the proxy ${name} ${what}; an administrator gives them in HTTP_PROXY and HTTPS_PROXY, as in http://user:password@host:port`
  return unavailable(message, new ProxyBreak())
}

/** Statuses below 500 that pass. */
const passing = new Set([408, 425, 429])

/** The proxy answered CONNECT with a status other than 2xx. What it writes beside it is not shown. */
export function refusedTunnel(status: number, authority: string, proxy: Proxy): Failure {
  // Nobody else can answer CONNECT, so a 401 is the proxy's, too; tinyproxy says so.
  if (status === 407 || status === 401) return unauthorized(proxy)
  const answer = `${status} ${STATUS_CODES[status] ?? ''}`.trim()
  const what = `the proxy ${proxy.name} answered ${answer} for ${authority}`
  const cause = new ProxyBreak()
  if (status >= 500 || passing.has(status)) {
    return unavailable(`${what}; check that the source is up`, cause)
  }
  const wayOut = 'give another URL, or ask the administrator of the proxy'
  return new Refusal('SOURCE_REFUSED', `${what}, so it does not let imports go there; ${wayOut}`, {
    cause,
  })
}
