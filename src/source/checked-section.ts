import type { z } from 'zod'
import { Refusal } from '../errors.ts'

/**
 * A section of a data source, by the schema that requests are validated with.
 * @throws Refusal INVALID_REQUEST
 */
export function checkedSection<Schema extends z.ZodType>(
  name: string,
  schema: Schema,
  input: unknown,
): z.output<Schema> {
  const { data, error } = schema.safeParse(input)
  if (!error) return data
  const fields = error.issues.map(({ path, message }) => ({
    path: [name, ...path].join('.'),
    message,
  }))
  const [first] = fields
  throw new Refusal('INVALID_REQUEST', `${first?.path} ${first?.message}`, { fields })
}
