import { describe, expect, test } from 'vitest'
import { fingerprint, isForMachines, labelsOf, nodeOf } from '../../../src/machine/cluster-node.ts'
import { Offers } from '../../../src/machine/offer.ts'
import { clusterNode, nodeObject, type NodeShape } from '../../support/cluster-nodes.ts'

describe('a node', () => {
  test('tells the models and features of its CPU by labels of both prefixes', () => {
    for (const domain of ['node.kubevirt.io', 'node.virtualization.deckhouse.io']) {
      const { offer } = clusterNode('n', { models: ['Nehalem'], features: ['avx', 'vmx'], domain })
      expect([...offer.models]).toEqual(['Nehalem'])
      expect([...offer.features]).toEqual(['avx', 'vmx'])
    }
  })

  test('offers nothing by labels that are not true, or only look alike', () => {
    const labels = {
      'cpu-feature.node.kubevirt.io/avx': 'false',
      'cpu-model.node.kubevirt.io/Nehalem': '',
      'cpu-feature.example.com/vmx': 'true',
      'cpu-feature.node.kubevirt.io': 'true',
      'host-model-cpu.node.kubevirt.io/Nehalem': 'true',
    }
    const node = clusterNode('n', { labels })
    expect([node.offer.models.size, node.offer.features.size]).toEqual([0, 0])
    expect(isForMachines(node)).toBe(false)
    expect(isForMachines(clusterNode('n', { features: ['avx'] }))).toBe(true)
    expect(isForMachines(clusterNode('n', { models: ['Nehalem'] }))).toBe(true)
  })

  test('has all of its labels for selectors, those of its CPU among them', () => {
    const labelOf = labelsOf(clusterNode('n', { features: ['avx'], labels: { group: 'blue' } }))
    expect(labelOf('group')).toBe('blue')
    expect(labelOf('cpu-feature.node.kubevirt.io/avx')).toBe('true')
    expect(labelOf('cpu-feature.node.virtualization.deckhouse.io/avx')).toBeNull()
    expect(labelOf('toString')).toBeNull()
  })

  test('is read exactly, and for what is missing as one that can do nothing', () => {
    const node = clusterNode('n', { cpu: '7910m', memory: '32Gi', isCordoned: true })
    expect([node.cpu, node.memory]).toEqual([7_910_000_000n, 32n * 2n ** 30n * 10n ** 9n])
    expect([node.isReady, node.isCordoned]).toEqual([true, true])
    const bare = nodeOf({ metadata: { name: 'bare' } }, new Offers())
    expect(bare).toMatchObject({ cpu: 0n, memory: 0n, isReady: false, isCordoned: false })
  })

  test('shares what it offers with nodes that offer the same', () => {
    const offers = new Offers()
    const of = (features: readonly string[]) => nodeOf(nodeObject('n', { features }), offers).offer
    expect(of(['avx', 'vmx'])).toBe(of(['avx', 'vmx']))
    expect(of(['avx'])).not.toBe(of(['avx', 'vmx']))
  })
})

describe('the fingerprint of a node', () => {
  const shape: NodeShape = {
    features: ['avx'],
    labels: { group: 'blue', other: '1' },
    taints: [{ key: 'a', effect: 'NoSchedule' }],
  }
  const keys = ['group']
  const of = (changed: NodeShape) => fingerprint(clusterNode('n', { ...shape, ...changed }), keys)

  test.each<[string, NodeShape]>([
    ['features', { features: ['avx', 'vmx'] }],
    ['models', { models: ['Nehalem'] }],
    ['a label that a selector looks at', { labels: { group: 'green', other: '1' } }],
    ['the loss of such a label', { labels: { other: '1' } }],
    ['taints', { taints: [] }],
    ['readiness', { isReady: false }],
    ['a cordon', { isCordoned: true }],
    ['cpu', { cpu: '7' }],
    ['memory', { memory: '31Gi' }],
  ])('changes with %s', (_what, changed) => {
    expect(of(changed)).not.toBe(of({}))
  })

  test('stays the same for a label that nobody looks at, and for the same amount in other words', () => {
    expect(of({ labels: { group: 'blue', other: '2', more: '3' } })).toBe(of({}))
    expect(of({ cpu: '8000m', memory: '32768Mi' })).toBe(of({}))
  })
})
