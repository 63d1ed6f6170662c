import { Client } from 'undici'
import { errno, Failure } from '../../errors.ts'
import type { AddressRules } from '../../source/address-rules.ts'
import { isCertificateError, reasonOf } from '../../source/breaks.ts'
import { dial } from '../../source/dial.ts'
import { proxyFor, proxyHeaders, type Proxies } from '../../source/proxies.ts'
import { retryAfter } from '../../source/retry-after.ts'
import type { Trust } from '../../source/trust.ts'

/** One message, ready to go. */
export type Letter = {
  readonly url: URL
  readonly headers: { readonly [name: string]: string }
  readonly body: string
  readonly trust: Trust
  /** Milliseconds, for all of it. */
  readonly timeout: number
}

export type Reply = {
  readonly status: number
  /** Milliseconds that the subscriber asks to be left alone, null when it does not. */
  readonly retryAfter: number | null
}

/** Whoever names subscribers runs this service: they may be anywhere. */
const anywhere: AddressRules = { fixed: [], networks: [], hosts: [] }
/** Bytes of an answer that are read for its connection to end well; nobody looks at them. */
const mostRead = 16 * 1024

/**
 * Sends a message once, over a connection of its own. Redirects are answers like others: what was signed for one is for
 * nobody else.
 * @throws whatever connections fail with; `whyUnsent` has words for it
 */
export async function post(letter: Letter, proxies: Proxies, signal: AbortSignal): Promise<Reply> {
  const { url, headers, body, trust, timeout } = letter
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeout)])
  const connect = dial({ rules: anywhere, timeout, trust, proxies }, limited)
  const client = new Client(url.origin, { connect, headersTimeout: timeout, bodyTimeout: timeout })
  const proxy = url.protocol === 'http:' ? proxyFor(url, proxies) : null
  try {
    const answer = await client.request({
      method: 'POST',
      path: `${proxy ? url.origin : ''}${url.pathname}${url.search}`,
      headers: { ...headers, ...(proxy && proxyHeaders(proxy)) },
      body,
      signal: limited,
    })
    const [asked = null] = [answer.headers['retry-after'] ?? []].flat()
    // It has answered: what comes of the rest, or does not come, makes that no other answer.
    await answer.body.dump({ limit: mostRead, signal: limited }).catch(() => null)
    return { status: answer.statusCode, retryAfter: retryAfter(asked, Date.now()) }
  } finally {
    await client.destroy()
  }
}

/** Why there was no answer, in words without a secret. */
export function whyUnsent(
  error: unknown,
  { url, timeout }: Pick<Letter, 'url' | 'timeout'>,
): string {
  if (isTimeout(error)) return `${url.host} did not answer within ${timeout / 1000} s`
  const cause = error instanceof Failure ? error.cause : error
  const code = errno(cause) ?? ''
  if (isCertificateError(code)) return `the certificate of ${url.host} is not trusted (${code})`
  if (error instanceof Failure && code === '') return error.message
  return `no answer from ${url.host}: ${reasonOf(code, timeout)}`
}

function isTimeout(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error.name === 'TimeoutError' || (errno(error) ?? '').endsWith('_TIMEOUT')
}
