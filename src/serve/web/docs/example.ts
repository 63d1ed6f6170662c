import { referred, type Schema, type Schemas } from './document.ts'

/**
 * A value as a schema describes it: what its examples say, and words in their place where there are none.
 * @param within names of the schemas that this one is part of: what is part of itself ends there
 */
export function exampleOf(
  schema: Schema,
  schemas: Schemas,
  within: ReadonlySet<string> = new Set(),
): unknown {
  const name = referred(schema)
  if (name !== null) return exampleNamed(name, schemas, within)
  const [choice] = schema.anyOf ?? schema.oneOf ?? []
  const told = schema.example ?? schema.default ?? schema.const ?? schema.enum?.[0]
  if (told !== undefined) return told
  return choice ? exampleOf(choice, schemas, within) : plain(schema, schemas, within)
}

function exampleNamed(name: string, schemas: Schemas, within: ReadonlySet<string>): unknown {
  const schema = schemas[name]
  return schema && !within.has(name) ? exampleOf(schema, schemas, new Set([...within, name])) : {}
}

function plain(schema: Schema, schemas: Schemas, within: ReadonlySet<string>): unknown {
  const { properties = {}, items, format } = schema
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  if (type === 'object') {
    const fields = Object.entries(properties)
    return Object.fromEntries(fields.map(([key, each]) => [key, exampleOf(each, schemas, within)]))
  }
  if (type === 'array') return items ? [exampleOf(items, schemas, within)] : []
  if (type === 'integer' || type === 'number') return schema.minimum ?? 0
  if (type === 'boolean') return true
  return type === 'string' ? (format ?? '…') : null
}
