import { asFailure, type Failure } from '../../errors.ts'
import type { Call } from '../context.ts'
import { failureHeaders, logFailure, statusOf } from '../problem.ts'

/** A failure as clients of a registry expect it (OCI distribution-spec, "Error Codes"). */
export function envelope(error: unknown, c: Call): Response {
  const failure = asFailure(error)
  logFailure(c, failure)
  const { message, row } = failure
  const told = { code: row.oci, message, ...detailOf(failure) }
  return c.json({ errors: [told] }, statusOf(failure), {
    ...failureHeaders(failure),
    'docker-distribution-api-version': 'registry/2.0',
  })
}

/** Clients print it behind the message, so it is there when it says more. */
function detailOf({ code, fields, row }: Failure) {
  const digests = fields.map(({ path }) => path)
  const detail = { ...(code !== row.oci && { code }), ...(digests.length > 0 && { digests }) }
  return Object.keys(detail).length > 0 && { detail }
}
