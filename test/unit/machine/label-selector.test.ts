import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSelected, keysOf, type LabelSelector } from '../../../src/machine/label-selector.ts'

const of =
  (labels: { readonly [key: string]: string }) =>
  (key: string): string | null =>
    Object.hasOwn(labels, key) ? (labels[key] ?? null) : null

const labels = { group: 'blue', cores: '16', empty: '', low: '-3', word: 'ten' }

function holds(operator: string, key: string, values?: readonly string[]): boolean {
  return isSelected({ matchExpressions: [{ key, operator, values }] }, of(labels))
}

describe('a label selector', () => {
  test.each([
    ['In', 'group', ['blue'], true],
    ['In', 'group', ['green', 'blue'], true],
    ['In', 'group', ['green'], false],
    ['In', 'missing', ['blue'], false],
    ['In', 'group', [], false],
    ['In', 'empty', [''], true],
    ['In', 'missing', [''], false],
    ['NotIn', 'group', ['blue'], false],
    ['NotIn', 'group', ['green'], true],
    ['NotIn', 'missing', ['blue'], true],
    ['NotIn', 'group', [], false],
    ['Exists', 'group', undefined, true],
    ['Exists', 'empty', undefined, true],
    ['Exists', 'missing', undefined, false],
    ['DoesNotExist', 'group', undefined, false],
    ['DoesNotExist', 'missing', undefined, true],
    ['Gt', 'cores', ['15'], true],
    ['Gt', 'cores', ['16'], false],
    ['Gt', 'cores', ['9'], true],
    ['Gt', 'missing', ['1'], false],
    ['Gt', 'word', ['1'], false],
    ['Gt', 'cores', ['1.5'], false],
    ['Gt', 'cores', ['1', '2'], false],
    ['Gt', 'cores', [], false],
    ['Gt', 'low', ['-4'], true],
    ['Lt', 'cores', ['17'], true],
    ['Lt', 'cores', ['16'], false],
    ['Lt', 'missing', ['1'], false],
    ['Lt', 'empty', ['1'], false],
    ['Lt', 'cores', ['9223372036854775807'], true],
    ['Lt', 'cores', ['9223372036854775808'], false],
    ['Gt', 'low', ['-9223372036854775808'], true],
    ['Gt', 'low', ['-9223372036854775809'], false],
    ['Like', 'group', ['blue'], false],
    ['Exists', 'toString', undefined, false],
  ])('%s %s %j: %s', (operator, key, values, expected) => {
    expect(holds(operator, key, values)).toBe(expected)
  })

  test('holds for everything when it is empty or missing', () => {
    expect(isSelected(undefined, of(labels))).toBe(true)
    expect(isSelected({}, of({}))).toBe(true)
    expect(isSelected({ matchLabels: {}, matchExpressions: [] }, of({}))).toBe(true)
  })

  test('holds only as a whole', () => {
    const selector = (group: string, operator: string): LabelSelector => ({
      matchLabels: { group },
      matchExpressions: [{ key: 'cores', operator }],
    })
    expect(isSelected(selector('blue', 'Exists'), of(labels))).toBe(true)
    expect(isSelected(selector('green', 'Exists'), of(labels))).toBe(false)
    expect(isSelected(selector('blue', 'DoesNotExist'), of(labels))).toBe(false)
  })

  test('tells the labels that it looks at', () => {
    const matchExpressions = [{ key: 'cores', operator: 'Exists' }]
    expect(keysOf({ matchLabels: { group: 'blue' }, matchExpressions })).toEqual(['group', 'cores'])
    expect(keysOf()).toEqual([])
  })

  const word = fc.constantFrom('a', 'b', '1', '2', '10', '')
  const some = fc.dictionary(fc.constantFrom('k', 'l'), word)

  test('NotIn is the opposite of In, and DoesNotExist that of Exists', () => {
    fc.assert(
      fc.property(some, fc.array(word, { minLength: 1 }), (labels, values) => {
        const isMet = (operator: string) =>
          isSelected({ matchExpressions: [{ key: 'k', operator, values }] }, of(labels))
        expect(isMet('NotIn')).toBe(!isMet('In'))
        expect(isMet('DoesNotExist')).toBe(!isMet('Exists'))
      }),
    )
  })

  test('Gt and Lt compare whole numbers, however many digits they have', () => {
    const integer = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
    fc.assert(
      fc.property(integer, integer, (label, limit) => {
        const isMet = (operator: string) =>
          isSelected(
            { matchExpressions: [{ key: 'k', operator, values: [String(limit)] }] },
            of({ k: String(label) }),
          )
        expect([isMet('Gt'), isMet('Lt')]).toEqual([label > limit, label < limit])
      }),
    )
  })

  test('of labels is the same as one of expressions that say so', () => {
    fc.assert(
      fc.property(some, some, (labels, matchLabels) => {
        const matchExpressions = Object.entries(matchLabels).map(([key, value]) => ({
          key,
          operator: 'In',
          values: [value],
        }))
        expect(isSelected({ matchLabels }, of(labels))).toBe(
          isSelected({ matchExpressions }, of(labels)),
        )
      }),
    )
  })
})
