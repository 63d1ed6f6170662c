import type { z } from 'zod'
import { Refusal } from '../../errors.ts'
import type { Call } from '../context.ts'
import { readSmallBody } from '../small-body.ts'

/** A data source with a CA bundle and a docker configuration, each at its largest. */
const largestBody = 2 * 1024 * 1024
/** From the head of a request to the last byte of its body, in milliseconds. */
const within = 60_000

/**
 * The JSON body of a request, checked.
 * @throws Refusal UNSUPPORTED_MEDIA_TYPE, CONTENT_TOO_LARGE, REQUEST_TIMEOUT, INVALID_JSON, INVALID_REQUEST, INVALID_NAME
 */
export async function body<Schema extends z.ZodType>(
  c: Call,
  schema: Schema,
): Promise<z.output<Schema>> {
  if (!/^application\/json\b/i.test(c.req.header('content-type') ?? '')) {
    throw new Refusal(
      'UNSUPPORTED_MEDIA_TYPE',
      'the body must be JSON; send it with Content-Type: application/json',
    )
  }
  return checked(schema, await json(c))
}

/** As `body`, of a request that may come without one. */
export async function optionalBody<Schema extends z.ZodType>(
  c: Call,
  schema: Schema,
): Promise<z.output<Schema>> {
  const { headers } = c.env.incoming
  const isEmpty = headers['transfer-encoding'] === undefined && !Number(headers['content-length'])
  return isEmpty ? checked(schema, {}) : await body(c, schema)
}

async function json(c: Call): Promise<unknown> {
  const { incoming, outgoing } = c.env
  const bytes = await readSmallBody(incoming, { limit: largestBody, within, tooLarge, outgoing })
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    // What the parser says of it quotes it, and it may be a password.
    throw new Refusal('INVALID_JSON', 'the body is no JSON')
  }
}

function tooLarge(): Refusal {
  return new Refusal('CONTENT_TOO_LARGE', `a request body has at most ${largestBody} bytes`)
}

/** @throws Refusal INVALID_REQUEST */
export function query<Schema extends z.ZodType>(c: Call, schema: Schema): z.output<Schema> {
  return checked(schema, c.req.query())
}

/** @throws Refusal INVALID_REQUEST, or INVALID_NAME when the name alone is wrong; each field with its problem */
function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const all = result.error.issues.flatMap(fieldsOf)
  const fields = all.slice(0, mostTold).map(shortened)
  const told = fields.map(({ path, message }) => (path ? `${path}: ${message}` : message))
  const more = all.length > mostTold ? [`and ${all.length - mostTold} more`] : []
  const code = all.every(({ path }) => path === 'name') ? 'INVALID_NAME' : 'INVALID_REQUEST'
  throw new Refusal(code, [...told, ...more].join('; '), { fields })
}

/** A body has room for a hundred thousand fields that are wrong; so many are told, each in so many characters. */
const mostTold = 20
const longest = 500

function shortened({ path, message }: Field): Field {
  return { path: path.slice(0, longest), message: message.slice(0, longest) }
}

type Field = { readonly path: string; readonly message: string }

function fieldsOf(issue: z.core.$ZodIssue): readonly Field[] {
  const path = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      message: 'there is no such field',
    }))
  }
  const inner = issue.code === 'invalid_key' ? issue.issues[0]?.message : undefined
  return [{ path, message: inner ?? issue.message }]
}
