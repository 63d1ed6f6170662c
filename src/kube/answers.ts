import { z } from 'zod'
import { Outage, Refusal, type Failure } from '../errors.ts'

const causeSchema = z.object({ field: z.string().optional(), reason: z.string().optional() })

/** What the API server says of a request that it did not do (kind `Status`), in an answer and in a line of a watch. */
const refusedSchema = z.object({
  message: z.string().optional(),
  reason: z.string().optional(),
  code: z.int().optional(),
  details: z
    .object({
      retryAfterSeconds: z.number().optional(),
      causes: z.array(causeSchema).optional(),
    })
    .optional(),
})

/** Characters of an answer that is no JSON, for the message. */
const shown = 200

export type Answer = {
  readonly status: number
  readonly text: string
  /** Seconds, as the header `Retry-After` has it. */
  readonly retryAfter?: string | undefined
}

/** An answer other than 2xx as what it means to whoever asked. */
export function failureOf({ status, text, retryAfter }: Answer): Failure {
  const value = parsed(text)
  const header = Number(retryAfter ?? Number.NaN)
  return statusFailure(value ?? { message: text.slice(0, shown).trim() }, status, header)
}

/** An object of kind `Status`, as a watch brings it in a line of type `ERROR`. */
export function statusFailure(object: unknown, status = 500, seconds = Number.NaN): Failure {
  const { message, reason, code, details } = refusedSchema.safeParse(object).data ?? {}
  const number = code ?? status
  const said = `the API server answered ${number}: ${message || reason || 'no reason given'}`
  if (number === 404) return new Refusal('CLUSTER_NOT_FOUND', said)
  if (number === 409) {
    return new Refusal(reason === 'AlreadyExists' ? 'CLUSTER_EXISTS' : 'CLUSTER_CONFLICT', said)
  }
  // A patch that names the uid of an object that is no more meets another object under its name.
  const causes = details?.causes ?? []
  const isOther = number === 422 && causes.some(({ field }) => field === 'metadata.uid')
  if (isOther) return new Refusal('CLUSTER_CONFLICT', said)
  // A cluster that was restored has not come as far yet.
  const isAhead = causes.some(({ reason }) => reason === 'ResourceVersionTooLarge')
  if (number === 410 || isAhead) return new Refusal('CLUSTER_EXPIRED', said)
  // It is over when there is another token, or when whoever looks at tokens answers again.
  if (number === 401) return new Outage('CLUSTER_UNAUTHENTICATED', said)
  if (number !== 429 && number < 500) return new Refusal('CLUSTER_REFUSED', said)
  const wait = details?.retryAfterSeconds ?? seconds
  return new Outage('CLUSTER_UNAVAILABLE', said, wait > 0 ? { retryAfter: wait * 1000 } : {})
}

/** Undefined for what is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** @throws Outage CLUSTER_UNAVAILABLE for what is something else than was asked for */
export function checked<Value>(schema: z.ZodType<Value>, value: unknown): Value {
  const { data, error } = schema.safeParse(value)
  if (error === undefined) return data
  const message = 'the API server answers something else than was asked for'
  throw new Outage('CLUSTER_UNAVAILABLE', message, { cause: error })
}
