import { html } from 'hono/html'
import { referred, type Schema } from './document.ts'

export type Html = ReturnType<typeof html>

/** What a value may be, in words; schemas with a name of their own are links to it. */
export function typeOf(schema: Schema): Html {
  const name = referred(schema)
  if (name !== null) return html`<a href="#schema-${name}">${name}</a>`
  const choices = schema.anyOf ?? schema.oneOf
  if (choices)
    return html`${choices.map((each, at) => html`${at > 0 ? ' or ' : ''}${typeOf(each)}`)}`
  if (schema.items) return html`list of ${typeOf(schema.items)}`
  return html`${plainType(schema)}${boundsOf(schema)}`
}

function plainType(schema: Schema): Html | string {
  const { const: only, enum: several, type } = schema
  if (only !== undefined) return html`<code>${JSON.stringify(only)}</code>`
  if (several) {
    return html`${several.map((each, at) => html`${at > 0 ? ', ' : ''}<code>${String(each)}</code>`)}`
  }
  if (isMap(schema)) return html`object of names to ${valueType(schema)}`
  return Array.isArray(type) ? type.join(' or ') : (type ?? 'anything')
}

/** Whether its keys are not known beforehand. */
function isMap({ properties, additionalProperties }: Schema): boolean {
  return !properties && typeof additionalProperties === 'object'
}

function valueType({ additionalProperties: values }: Schema): Html | string {
  return typeof values === 'object' ? typeOf(values) : 'anything'
}

function boundsOf(schema: Schema): string {
  const { minimum, maximum, minLength, maxLength, maxItems, format } = schema
  const told = [
    format,
    bound(minimum, 'at least', ''),
    // The bound of the language, not of the field.
    maximum === Number.MAX_SAFE_INTEGER ? undefined : bound(maximum, 'at most', ''),
    bound(minLength, 'at least', ' characters'),
    bound(maxLength, 'at most', ' characters'),
    bound(maxItems, 'at most', ' items'),
    schema.default === undefined ? undefined : `${JSON.stringify(schema.default)} without it`,
  ].filter((part) => part !== undefined)
  return told.length > 0 ? `, ${told.join(', ')}` : ''
}

function bound(value: number | undefined, words: string, unit: string): string | undefined {
  return value === undefined ? undefined : `${words} ${value}${unit}`
}

/** The fields of an object, and of the objects in it. Other schemas are linked to, so this ends. */
export function fieldsOf(schema: Schema): Html | '' {
  const fields = Object.entries(inner(schema).properties ?? {})
  if (fields.length === 0) return ''
  const required = new Set(inner(schema).required)
  return html`<dl class="fields">
    ${fields.map(
      ([name, each]) =>
        html`<div>
          <dt><code>${name}</code></dt>
          <dd>
            ${typeOf(each)}${required.has(name) ? html`, <strong>required</strong>` : ''}
            ${each.description === undefined ? '' : html`<p>${each.description}</p>`}
            ${fieldsOf(each)}
          </dd>
        </div>`,
    )}
  </dl>`
}

/** What a list or a map is made of. */
function inner(schema: Schema): Schema {
  if (schema.items) return inner(schema.items)
  const { additionalProperties: values } = schema
  return typeof values === 'object' && !schema.properties ? inner(values) : schema
}
