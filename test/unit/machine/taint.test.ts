import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { untolerated, type Toleration } from '../../../src/machine/taint.ts'

const taint = { key: 'dedicated', value: 'vms', effect: 'NoSchedule' }

describe('a taint', () => {
  test.each<[string, Toleration, boolean]>([
    ['the same', { key: 'dedicated', operator: 'Equal', value: 'vms', effect: 'NoSchedule' }, true],
    ['Equal goes without saying', { key: 'dedicated', value: 'vms' }, true],
    ['an operator that is empty', { key: 'dedicated', operator: '', value: 'vms' }, true],
    ['another value', { key: 'dedicated', operator: 'Equal', value: 'db' }, false],
    ['no value', { key: 'dedicated', operator: 'Equal' }, false],
    ['another key', { key: 'other', operator: 'Equal', value: 'vms' }, false],
    ['Exists', { key: 'dedicated', operator: 'Exists' }, true],
    ['Exists of another key', { key: 'other', operator: 'Exists' }, false],
    ['everything', { operator: 'Exists' }, true],
    ['everything with an empty key', { key: '', operator: 'Exists' }, true],
    ['everything of another effect', { operator: 'Exists', effect: 'NoExecute' }, false],
    ['everything of this effect', { operator: 'Exists', effect: 'NoSchedule' }, true],
    ['all effects', { key: 'dedicated', operator: 'Exists', effect: '' }, true],
    ['Equal without a key', { operator: 'Equal', value: 'vms' }, false],
    ['nothing at all', {}, false],
    ['an operator that there is not', { key: 'dedicated', operator: 'Like', value: 'vms' }, false],
  ])('and a toleration of %s', (_what, toleration, isTolerated) => {
    expect(untolerated([taint], [toleration])).toEqual(isTolerated ? [] : [taint])
  })

  test('keeps away unless something tolerates it, NoExecute as NoSchedule', () => {
    const other = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute' }
    expect(untolerated([taint, other])).toEqual([taint, other])
    expect(untolerated([taint, other], [{ key: 'dedicated', operator: 'Exists' }])).toEqual([other])
    expect(untolerated([other], [{ key: other.key }])).toEqual([])
  })

  test('of the effect PreferNoSchedule keeps nobody away', () => {
    expect(untolerated([{ ...taint, effect: 'PreferNoSchedule' }])).toEqual([])
  })

  const word = fc.constantFrom('', 'a', 'b')
  const effect = fc.constantFrom('NoSchedule', 'NoExecute', 'PreferNoSchedule')
  const taints = fc.array(fc.record({ key: fc.constantFrom('a', 'b'), value: word, effect }))
  const toleration = fc.record(
    { key: word, operator: fc.constantFrom('', 'Equal', 'Exists'), value: word, effect: word },
    { requiredKeys: [] },
  )

  test('is tolerated by more tolerations wherever it is by fewer', () => {
    fc.assert(
      fc.property(taints, fc.array(toleration), toleration, (taints, tolerations, more) => {
        const before = untolerated(taints, tolerations)
        const after = untolerated(taints, [...tolerations, more])
        expect(before).toEqual(expect.arrayContaining([...after]))
        expect(untolerated(taints, [...tolerations, { operator: 'Exists' }])).toEqual([])
      }),
    )
  })
})
