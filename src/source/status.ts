import { STATUS_CODES } from 'node:http'
import { Outage, Refusal, type Failure } from '../errors.ts'
import type { Answer } from './exchange.ts'
import { retryAfter } from './retry-after.ts'
import { shown } from './request.ts'

/** Statuses below 500 that pass (image-lifecycle, "Permanent errors"). */
const passing = new Set([408, 425, 429])

/** What a status other than 200, 206 or a redirect means. */
export function statusFailure(answer: Answer, url: URL): Failure {
  const who = answer.proxy
    ? `the source, or the proxy ${answer.proxy.name} on the way to it,`
    : 'the source'
  const message = `${who} answered ${named(answer.status)} for ${shown(url)}`
  if (answer.status < 500 && !passing.has(answer.status)) {
    return new Refusal('SOURCE_REFUSED', `${message}; ${wayOut(answer.status)}`)
  }
  const wait = retryAfter(answer.field('retry-after'), Date.now())
  return new Outage(
    'SOURCE_UNAVAILABLE',
    `${message}; check that the source is up`,
    wait === null ? {} : { retryAfter: wait },
  )
}

/** The reason phrase is ours: what a source writes there is not shown. */
function named(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ''}`.trim()
}

function wayOut(status: number): string {
  return status === 401 || status === 403 || status === 407
    ? 'check the credentials'
    : 'check the URL'
}
