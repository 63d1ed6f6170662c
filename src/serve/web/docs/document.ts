import { z } from 'zod'

/** What the page reads of an OpenAPI 3.1 document, and of the JSON Schemas in it. */
const schema = z.looseObject({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  description: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  default: z.unknown().optional(),
  example: z.unknown().optional(),
  format: z.string().optional(),
  pattern: z.string().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  maxItems: z.number().optional(),
  required: z.array(z.string()).optional(),
  get properties() {
    return z.record(z.string(), schema).optional()
  },
  get items() {
    return schema.optional()
  },
  get anyOf() {
    return z.array(schema).optional()
  },
  get oneOf() {
    return z.array(schema).optional()
  },
  get additionalProperties() {
    return z.union([z.boolean(), schema]).optional()
  },
})
export type Schema = z.output<typeof schema>

const content = z.record(
  z.string(),
  z.object({ schema: schema.optional(), example: z.unknown().optional() }),
)
export type Content = z.output<typeof content>

const parameter = z.object({
  name: z.string(),
  in: z.enum(['path', 'query', 'header']),
  required: z.boolean().default(false),
  schema: schema.default({}),
})
export type Parameter = z.output<typeof parameter>

const answer = z.object({ description: z.string().default(''), content: content.optional() })

const operation = z.object({
  operationId: z.string(),
  summary: z.string(),
  tags: z.array(z.string()),
  security: z.array(z.unknown()),
  'x-needs': z.string(),
  parameters: z.array(parameter).default([]),
  requestBody: z.object({ required: z.boolean().default(false), content }).optional(),
  responses: z.record(z.string(), answer),
})

const described = z.object({
  info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
  tags: z.array(z.object({ name: z.string(), description: z.string() })),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ schemas: z.record(z.string(), schema) }),
})

/** One call, with its method in capitals. */
export type Operation = z.output<typeof operation> & {
  readonly path: string
  readonly method: string
}

export type Described = {
  readonly version: string
  readonly description: string
  readonly groups: readonly {
    readonly name: string
    readonly description: string
    readonly operations: readonly Operation[]
  }[]
  readonly schemas: Schemas
}

export type Schemas = { readonly [name: string]: Schema }

/** @throws ZodError when something that each call has to say is missing */
export function describe(document: object): Described {
  const { info, tags, paths, components } = described.parse(document)
  const operations = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, each]) => named(each, path, method)),
  )
  return {
    ...info,
    groups: tags.map(({ name, description }) => ({
      name,
      description,
      operations: operations.filter((each) => each.tags.includes(name)),
    })),
    schemas: components.schemas,
  }
}

function named(each: z.output<typeof operation>, path: string, method: string): Operation {
  return { ...each, path, method: method.toUpperCase() }
}

/** The name of the schema that a reference leads to, null for one that is no reference. */
export function referred({ $ref }: Schema): string | null {
  return $ref?.split('/').at(-1) ?? null
}
