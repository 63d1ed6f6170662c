import { z } from 'zod'
import { Bug } from '../../errors.ts'

/** A structural schema, of the keywords that our resources need (Kubernetes, "Specifying a structural schema"). */
export type Structural = {
  /** Missing in an integer or string alone. */
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean'
  readonly properties?: { readonly [name: string]: Structural }
  readonly items?: Structural
  readonly [keyword: string]: unknown
}

/**
 * `closed`: what users write; each string, list and map has a maximum of its own, or the rules on it have no bounded cost.
 * `open`: what the companion writes. A newer one may have words that this definition does not know, and its whole status
 * would be refused for one of them, so values are not listed, and maxima are only what no value comes near.
 */
export type Manner = 'closed' | 'open'

type Json = z.core.JSONSchema.BaseSchema

/** @throws Bug for what has no structural schema, and for a string, list or map without a maximum in a closed one */
export function structural(schema: z.ZodType, manner: Manner): Structural {
  const json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', reused: 'inline' })
  return new Conversion(manner).of(json, [])
}

type Path = readonly string[]

const longestOpen = { maxLength: 32_768, maxItems: 1024, maxProperties: 256 }
type Maximum = keyof typeof longestOpen

class Conversion {
  readonly #manner: Manner

  constructor(manner: Manner) {
    this.#manner = manner
  }

  of(json: Json, path: Path): Structural {
    if (json['x-kubernetes-int-or-string'] === true) return this.#intOrString(json, path)
    demandKnown(json, path)
    switch (json.type) {
      case 'object':
        return { type: 'object', ...extras(json), ...this.#object(json, path) }
      case 'array':
        return { type: 'array', ...extras(json), ...this.#array(json, path) }
      case 'string':
        return { type: 'string', ...extras(json), ...this.#string(json, path) }
      case 'integer':
        return { type: 'integer', ...extras(json), format: 'int64', ...bounds(json) }
      case 'boolean':
        return { type: 'boolean', ...extras(json) }
      case 'number':
      case 'null':
      case undefined:
      default:
        throw new Bug(`${path.join('.')} has no structural schema: ${JSON.stringify(json)}`)
    }
  }

  /** Such as a quantity; what else than an integer or a text our schema may take is refused. */
  #intOrString({ anyOf: shapes, ...json }: Json, path: Path): Structural {
    demandKnown(json, path)
    if (!shapes?.some(({ type }) => type === 'string')) {
      throw new Bug(`${path.join('.')} takes no text`)
    }
    const anyOf = [{ type: 'integer' }, { type: 'string' }]
    return { ...extras(json), anyOf, ...this.#maximum('maxLength', json, path), ...patterns(json) }
  }

  #object(json: Json, path: Path): Omit<Structural, 'type'> {
    if (json.properties === undefined) return this.#map(json, path)
    const properties = Object.entries(json.properties).map(
      ([name, inner]) => [name, this.of(demandSchema(inner, path), [...path, name])] as const,
    )
    return { ...pick(json, ['required']), properties: Object.fromEntries(properties) }
  }

  /** Names are free; where values are, too, Kubernetes keeps all of them as they are. */
  #map(json: Json, path: Path): Omit<Structural, 'type'> {
    const values = demandSchema(json.additionalProperties, path)
    const maximum = this.#maximum('maxProperties', json, path)
    if (Object.keys(values).length === 0) {
      return { ...maximum, 'x-kubernetes-preserve-unknown-fields': true }
    }
    return { ...maximum, additionalProperties: this.of(values, [...path, '*']) }
  }

  #array(json: Json, path: Path): Omit<Structural, 'type'> {
    const items = this.of(demandSchema(json.items, path), [...path, '*'])
    return { ...pick(json, ['minItems']), ...this.#maximum('maxItems', json, path), items }
  }

  #string(json: Json, path: Path): Omit<Structural, 'type'> {
    if (json.enum && this.#manner === 'closed') return { enum: json.enum }
    const listed = json.enum ? { description: described(json) } : {}
    const length = { ...pick(json, ['minLength']), ...this.#maximum('maxLength', json, path) }
    return { ...listed, ...length, ...patterns(json) }
  }

  #maximum(keyword: Maximum, json: Json, path: Path) {
    const given = json[keyword]
    if (given === undefined && this.#manner === 'closed') {
      throw new Bug(`${path.join('.')} has no ${keyword}`)
    }
    return { [keyword]: given ?? longestOpen[keyword] }
  }
}

/** What is taken over, read, or left out on purpose: an example, and `additionalProperties: false`, which Kubernetes refuses. */
const known = new Set(
  [
    ['type', 'description', 'example', 'default', 'enum', 'format', 'pattern', 'allOf'],
    ['properties', 'additionalProperties', 'required', 'items', 'minItems', 'maxItems'],
    ['maxProperties', 'minLength', 'maxLength', 'minimum', 'maximum'],
  ].flat(),
)

/** What is not known here would be lost. */
function demandKnown(json: Json, path: Path): void {
  const strange = Object.keys(json).filter((keyword) => !known.has(keyword) && !isOwn(keyword))
  if (strange.length > 0) throw new Bug(`${path.join('.')} has ${strange.join(', ')}`)
}

/** Written as Kubernetes reads it. */
function isOwn(keyword: string): boolean {
  return keyword.startsWith('x-kubernetes-')
}

/** For every type. */
function extras(json: Json) {
  return pick(json, ['description', 'default', ...Object.keys(json).filter(isOwn)])
}

/** Those of a safe integer go without saying. */
function bounds(json: Json) {
  const { minimum, maximum } = json
  return {
    ...(minimum !== Number.MIN_SAFE_INTEGER && pick(json, ['minimum'])),
    ...(maximum !== Number.MAX_SAFE_INTEGER && pick(json, ['maximum'])),
  }
}

/**
 * Base64 stands in `allOf`, where it is demanded and CEL does not see it. A field of the format byte is for CEL what URL-safe
 * base64 says: with a `+` or a `/` in it, every rule that compares it fails, and the object could never be changed again, not
 * even to take a finalizer off.
 */
function patterns(json: Json) {
  if (json.format === 'byte') return { allOf: [{ format: 'byte' }] }
  const all = [json, ...(json.allOf ?? [])].flatMap(({ pattern }) => unescaped(pattern))
  const [first, ...more] = all
  if (first === undefined) return {}
  return more.length === 0 ? { pattern: first } : { allOf: all.map((pattern) => ({ pattern })) }
}

/** JavaScript alone writes a slash with a backslash. */
function unescaped(pattern: string | undefined): readonly string[] {
  return pattern === undefined ? [] : [pattern.replaceAll(String.raw`\/`, '/')]
}

function described({ description, enum: words = [] }: Json): string {
  const listed = `One of ${words.join(', ')}`
  return description === undefined ? listed : `${description}. ${listed}`
}

function pick(json: Json, keywords: readonly string[]): { readonly [keyword: string]: unknown } {
  return Object.fromEntries(
    keywords.flatMap((keyword) => (json[keyword] === undefined ? [] : [[keyword, json[keyword]]])),
  )
}

function demandSchema(inner: unknown, path: Path): Json {
  if (isSchema(inner)) return inner
  throw new Bug(`${path.join('.')} holds something without a schema`)
}

function isSchema(inner: unknown): inner is Json {
  return typeof inner === 'object' && inner !== null && !Array.isArray(inner)
}
