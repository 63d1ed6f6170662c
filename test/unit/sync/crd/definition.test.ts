import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Bug } from '../../../../src/errors.ts'
import { clusterVirtualImage } from '../../../../src/sync/crd/cluster-virtual-image.ts'
import { definition } from '../../../../src/sync/crd/definition.ts'
import { structural, type Structural } from '../../../../src/sync/crd/structural.ts'
import { definitionText, kinds } from '../../../../src/sync/crd/table.ts'
import { statusSchema } from '../../../../src/image/status.ts'

const folder = new URL('../../../../deploy/crds/', import.meta.url)

describe('the definitions in deploy/crds', () => {
  test.each(kinds)('are what the code gives for $plural', (kind) => {
    const committed = readFileSync(new URL(`${kind.plural}.yaml`, folder), 'utf8')
    const renew = `npm run --silent slipway -- crds ${kind.plural} > deploy/crds/${kind.plural}.yaml`
    expect(committed, `it has changed; renew it: ${renew}`).toBe(definitionText(kind))
  })

  test('are all that there are', () => {
    expect(readdirSync(folder).sort()).toEqual(kinds.map(({ plural }) => `${plural}.yaml`).sort())
  })
})

function schemaOf(part: 'spec' | 'status'): Structural {
  const [version] = definition(clusterVirtualImage).spec.versions
  const schema = version?.schema.openAPIV3Schema.properties?.[part]
  if (!schema) throw new Error(`the definition has no ${part}`)
  return schema
}

/** The path of every field that a schema of ours has; free forms are one field. */
function fieldsOf(schema: z.core.$ZodType, path: string): string[] {
  if (schema instanceof z.ZodOptional) return fieldsOf(schema.unwrap(), path)
  if (schema instanceof z.ZodArray) return fieldsOf(schema.element, `${path}[]`)
  if (!(schema instanceof z.ZodObject)) return [path]
  const inner = Object.entries(schema.shape) as [string, z.core.$ZodType][]
  return inner.flatMap(([name, field]) => fieldsOf(field, `${path}.${name}`))
}

/** The same of a structural schema, with what it says of each. */
function nodesOf(schema: Structural, path: string): [path: string, schema: Structural][] {
  const properties = Object.entries(schema.properties ?? {})
  return [
    [path, schema],
    ...properties.flatMap(([name, inner]) => nodesOf(inner, `${path}.${name}`)),
    ...(schema.items ? nodesOf(schema.items, `${path}[]`) : []),
  ]
}

const spec = nodesOf(schemaOf('spec'), 'spec')
const status = nodesOf(schemaOf('status'), 'status')

describe('the definition of ClusterVirtualImage', () => {
  test('has every field of the status that the service gives, so that none is pruned', () => {
    const served = fieldsOf(statusSchema, 'status')
    const known = new Set(status.map(([path]) => path))
    expect(served.length).toBeGreaterThan(40)
    expect(served.filter((path) => !known.has(path))).toEqual([])
    expect([...known]).toEqual(
      expect.arrayContaining(['status.sourceUID', 'status.observedGeneration']),
    )
  })

  test('demands nothing of a status as a whole: before the service is reached there is little to say', () => {
    expect(schemaOf('status')).not.toHaveProperty('required')
  })

  test('lists no values in the status, so that a newer companion still can write it', () => {
    expect(status.filter(([, schema]) => 'enum' in schema)).toEqual([])
    expect(schemaOf('status').properties?.['phase']?.['description']).toContain('ImageLost')
  })

  test('keeps details as they are', () => {
    expect(schemaOf('status').properties?.['details']).toMatchObject({
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
    })
  })

  test.each([...spec, ...status])('has a maximum at %s where one is needed', (_, schema) => {
    if (schema.type === 'string' && !schema['enum']) {
      expect(schema['maxLength']).toBeGreaterThan(0)
    }
    if (schema.type === 'array') expect(schema['maxItems']).toBeGreaterThan(0)
    if (schema.type === 'object' && !schema.properties) {
      expect(schema['maxProperties']).toBeGreaterThan(0)
    }
  })

  test('takes no credentials, only names of secrets', () => {
    const names = spec.map(([path]) => path)
    expect(names.filter((path) => /auth|password|bearer|dockerconfigjson/.test(path))).toEqual([])
    expect(names).toEqual(
      expect.arrayContaining([
        'spec.dataSource.http.secretRef.namespace',
        'spec.dataSource.containerImage.imagePullSecret.namespace',
      ]),
    )
  })
})

describe('a structural schema', () => {
  test('says of base64 where CEL does not see it', () => {
    const made = structural(z.string().max(9).meta({ format: 'byte' }), 'closed')
    expect(made).toEqual({ type: 'string', maxLength: 9, allOf: [{ format: 'byte' }] })
  })

  test('has several patterns side by side, and leaves slashes as they are', () => {
    const made = structural(z.string().max(9).regex(/^a\/b/).regex(/c$/), 'closed')
    expect(made).toMatchObject({ allOf: [{ pattern: '^a/b' }, { pattern: 'c$' }] })
  })

  test('bounds maps and their values', () => {
    const map = z.record(z.string(), z.string().max(3)).meta({ maxProperties: 4 })
    expect(structural(map, 'closed')).toEqual({
      type: 'object',
      maxProperties: 4,
      additionalProperties: { type: 'string', maxLength: 3 },
    })
  })

  test('keeps the limits of a number, but for those of every safe one', () => {
    expect(structural(z.int().min(1), 'closed')).toEqual({
      type: 'integer',
      format: 'int64',
      minimum: 1,
    })
  })

  test('has an integer or a text as Kubernetes writes it', () => {
    const meta = { 'x-kubernetes-int-or-string': true, pattern: '^x$', maxLength: 9 }
    const amount = z.union([z.string(), z.number()]).transform(String).meta(meta)
    expect(structural(amount, 'closed')).toEqual({
      'x-kubernetes-int-or-string': true,
      anyOf: [{ type: 'integer' }, { type: 'string' }],
      maxLength: 9,
      pattern: '^x$',
    })
  })

  test.each([
    ['a string without a maximum', z.object({ a: z.string() })],
    ['a list without a maximum', z.object({ a: z.array(z.boolean()) })],
    ['a map without a maximum', z.object({ a: z.record(z.string(), z.boolean()) })],
    [
      'a text or an integer without a maximum',
      z.object({
        a: z.union([z.string(), z.number()]).meta({ 'x-kubernetes-int-or-string': true }),
      }),
    ],
    [
      'one of several shapes without a text',
      z.object({
        a: z.union([z.boolean(), z.int()]).meta({ 'x-kubernetes-int-or-string': true }),
      }),
    ],
    ['one of several shapes', z.object({ a: z.union([z.boolean(), z.int()]) })],
    ['null', z.object({ a: z.null() })],
  ])('is not made of %s, and the place is named', (_, schema) => {
    expect(() => structural(schema, 'closed')).toThrow(Bug)
    expect(() => structural(schema, 'closed')).toThrow(/^a /)
  })
})
