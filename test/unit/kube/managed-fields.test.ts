import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withoutManagedFields } from '../../../src/kube/managed-fields.ts'

const entry = (fieldsV1: object) => ({ manager: 'kubelet', operation: 'Update', fieldsV1 })
const metadata = { name: 'a', labels: { managedFields: 'no' } }
const spec = { taints: [{ key: 'a' }] }

describe('an object without its managed fields', () => {
  test('has all the others', () => {
    const fields = entry({ 'f:status': { 'k:{"type":"Ready"}': { '.': {}, 'v:[1]}],"': {} } } })
    const text = JSON.stringify({
      metadata: { ...metadata, managedFields: [fields, fields] },
      spec,
    })
    expect(withoutManagedFields(text)).toBe(JSON.stringify({ metadata, spec }))
  })

  test('stays as it is where nobody wrote any, or it is a text that tells of them', () => {
    const told = JSON.stringify({ spec, metadata: { ...metadata, managedFields: [entry({})] } })
    const annotations = { told, more: ',"managedFields":[', '"managedFields': '[]' }
    const text = JSON.stringify({ metadata: { ...metadata, annotations }, spec })
    expect(withoutManagedFields(text)).toBe(text)
  })

  test('stays as it is where they are written as no API server does', () => {
    for (const managedFields of [[[]], [1], 'none', {}]) {
      const text = JSON.stringify({ metadata: { ...metadata, managedFields } })
      expect(withoutManagedFields(text)).toBe(text)
    }
    const broken = '{"metadata":{"name":"a","managedFields":[{"manager":"x'
    expect(withoutManagedFields(broken)).toBe(broken)
  })

  test('is the same object but for them, whatever is in it', () => {
    const strange = fc.stringMatching(/^[,"[\]{}:\\a]*$/)
    const fields = fc.array(fc.dictionary(strange, strange))
    const object = fc.dictionary(strange, fc.oneof(strange, fc.array(strange)))
    fc.assert(
      fc.property(object, fields, object, (before, managedFields, after) => {
        const written = { before, metadata: { name: 'a', managedFields, after } }
        const kept = { before, metadata: { name: 'a', after } }
        expect(JSON.parse(withoutManagedFields(JSON.stringify(written)))).toEqual(kept)
      }),
    )
  })

  test('is found in megabytes of them, and nothing is where they end in another way', () => {
    const fields = Array.from({ length: 50_000 }, () => entry({ 'f:a': { 'k:{"b":"c"}': {} } }))
    const text = JSON.stringify({ metadata: { ...metadata, managedFields: fields }, spec })
    expect(withoutManagedFields(text)).toBe(JSON.stringify({ metadata, spec }))
    const other = JSON.stringify({ metadata: { ...metadata, managedFields: [...fields, 1] }, spec })
    expect(withoutManagedFields(other)).toBe(other)
  })
})
