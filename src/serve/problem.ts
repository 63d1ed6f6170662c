import { STATUS_CODES } from 'node:http'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { asFailure, type Failure } from '../errors.ts'
import type { Call } from './context.ts'

/**
 * A failure as RFC 9457 problem+json: one line, `detail` first, a newline at its end, so that whoever looks at it through
 * curl reads the sentence that matters.
 */
export function problemBody(failure: Failure): string {
  const { code, message, fields, row } = failure
  return `${JSON.stringify({
    detail: message,
    code,
    status: row.status,
    title: STATUS_CODES[row.status] ?? 'Error',
    ...(fields.length > 0 && { errors: fields }),
  })}\n`
}

/** When to come again where a 503 does not know better, in milliseconds: so long a restart takes, or a look at a disk. */
const soon = 5000

export function failureHeaders({ retryAfter, row }: Failure): Record<string, string> {
  const wait = retryAfter ?? (row.status === 503 ? soon : null)
  return wait === null ? {} : { 'retry-after': String(Math.ceil(wait / 1000)) }
}

/** Tells the caller what went wrong, and the log why. */
export function problem(c: Call, error: unknown): Response {
  const failure = asFailure(error)
  logFailure(c, failure)
  return c.newResponse(problemBody(failure), statusOf(failure), {
    'content-type': 'application/problem+json',
    ...failureHeaders(failure),
  })
}

export function logFailure(c: Call, failure: Failure): void {
  const level = failure.row.kind === 'bug' ? 'error' : 'debug'
  c.get('log')[level]({ err: failure.cause ?? failure, code: failure.code }, failure.message)
}

export function statusOf({ row }: Failure): ContentfulStatusCode {
  return isContentful(row.status) ? row.status : 500
}

function isContentful(status: number): status is ContentfulStatusCode {
  return status >= 400 && status <= 599
}
