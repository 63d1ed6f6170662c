import { asFailure, type Failure } from '../../errors.ts'
import type { Call } from '../context.ts'
import { failureHeaders, logFailure, statusOf } from '../problem.ts'

/** A failure as clients of a registry expect it (OCI distribution-spec, "Error Codes"). */
export function envelope(error: unknown, c: Call): Response {
  const failure = asFailure(error)
  logFailure(c, failure)
  const { message, row } = failure
  const told = { code: row.oci, message, detail: detailOf(failure) }
  return c.json({ errors: [told] }, statusOf(failure), {
    ...failureHeaders(failure),
    'docker-distribution-api-version': 'registry/2.0',
  })
}

function detailOf({ code, fields }: Failure) {
  return { code, ...(fields.length > 0 && { digests: fields.map(({ path }) => path) }) }
}
