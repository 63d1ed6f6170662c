import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ClusterNode } from '../../../src/machine/cluster-node.ts'
import type { NodeClass } from '../../../src/machine/node-class.ts'
import { workOut, type Before, type WorkedOut } from '../../../src/machine/work-out.ts'
import { clusterNode, cpuX, cpuY, guideNodes, type NodeShape } from '../../support/cluster-nodes.ts'

const fresh: Before = { discovered: null, rediscover: null }
const guide = guideNodes.map(([name, shape]) => clusterNode(name, shape))
const group = (value: string) => ({
  matchExpressions: [{ key: 'group', operator: 'In', values: [value] }],
})
const universal: NodeClass = { cpu: { type: 'Discovery', discovery: {} } }

function nodes(...shapes: readonly NodeShape[]): ClusterNode[] {
  return shapes.map((shape, index) => clusterNode(`n${index}`, { features: ['avx'], ...shape }))
}

function conditionOf({ conditions }: WorkedOut, type: string) {
  const found = conditions.find((condition) => condition.type === type)
  return found && [found.status, found.reason, found.message]
}

describe("the guide's classes on its four nodes", () => {
  test('universal takes what all have', () => {
    expect(workOut(universal, guide, fresh)).toEqual({
      availableNodes: ['blue-1', 'blue-2', 'green-1', 'green-2'],
      cpuFeatures: { enabled: cpuX.toSorted(), notEnabledCommon: [] },
      maxAllocatableResources: { cpu: '32', memory: '128Gi' },
      conditions: [
        { type: 'Discovered', status: 'True', reason: 'DiscoverySucceeded', message: '' },
        { type: 'Ready', status: 'True', reason: 'SuitableNodesFound', message: '' },
      ],
      phase: 'Ready',
      discovered: { features: cpuX.toSorted(), rediscover: null },
    })
  })

  test('cpu-x runs on the blue nodes alone', () => {
    const out = workOut({ ...universal, nodeSelector: group('blue') }, guide, fresh)
    expect(out.availableNodes).toEqual(['blue-1', 'blue-2'])
    expect(out.cpuFeatures?.enabled).toEqual(cpuX.toSorted())
    expect(out.maxAllocatableResources).toEqual({ cpu: '16', memory: '128Gi' })
  })

  test.each([
    ['as the guide has it', group('green')],
    ['under nodeSelector', { nodeSelector: group('green') }],
  ])('cpu-y has what the green nodes have, by a selector %s', (_shape, discovery) => {
    const out = workOut({ cpu: { type: 'Discovery', discovery } }, guide, fresh)
    expect(out.availableNodes).toEqual(['green-1', 'green-2'])
    expect(out.cpuFeatures).toEqual({ enabled: cpuY.toSorted(), notEnabledCommon: [] })
  })
})

describe('a class of the type', () => {
  test.each(['Host', 'HostPassthrough'] as const)('%s runs on all nodes', (type) => {
    const out = workOut({ cpu: { type } }, guide, fresh)
    expect(out).toMatchObject({ phase: 'Ready', cpuFeatures: null, discovered: null })
    expect(out.availableNodes).toHaveLength(4)
    expect(conditionOf(out, 'Discovered')).toEqual([
      'False',
      'DiscoverySkip',
      `CPU features are not discovered for the type ${type}`,
    ])
  })

  test('Model runs where the model is offered', () => {
    const all = nodes({ models: ['Nehalem', 'Penryn'] }, { models: ['Penryn'] })
    const of = (model: string) => workOut({ cpu: { type: 'Model', model } }, all, fresh)
    expect(of('Nehalem').availableNodes).toEqual(['n0'])
    expect(of('Penryn').availableNodes).toEqual(['n0', 'n1'])
    expect(conditionOf(of('IvyBridge'), 'Ready')).toEqual([
      'False',
      'NoSuitableNodesFound',
      'no node suits: 2 without the CPU model IvyBridge',
    ])
  })

  test('Features runs where all of them are offered', () => {
    const all = nodes({ features: ['avx', 'vmx', 'more'] }, { features: ['avx'] })
    const of = (...features: string[]) =>
      workOut({ cpu: { type: 'Features', features } }, all, fresh)
    expect(of('vmx', 'avx').availableNodes).toEqual(['n0'])
    expect(of('vmx', 'avx').cpuFeatures).toEqual({ enabled: ['vmx', 'avx'], notEnabledCommon: [] })
    expect(of('none').phase).toBe('Pending')
  })
})

describe('a node', () => {
  const host: NodeClass = { cpu: { type: 'Host' } }

  test.each<[string, NodeShape]>([
    ['not Ready', { isReady: false }],
    ['cordoned', { isCordoned: true }],
    [
      'with the taint vms:NoExecute, which spec.tolerations lacks',
      { taints: [{ key: 'vms', effect: 'NoExecute' }] },
    ],
  ])('does not count while it is %s', (reason, shape) => {
    const out = workOut(host, nodes(shape, {}), fresh)
    expect(out.availableNodes).toEqual(['n1'])
    const message = `no node suits: 1 ${reason}`
    expect(workOut(host, nodes(shape), fresh)).toMatchObject({
      phase: 'Pending',
      maxAllocatableResources: null,
      conditions: [{}, { status: 'False', reason: 'NoSuitableNodesFound', message }],
    })
  })

  test('counts where its taints are tolerated', () => {
    const tainted = nodes({ taints: [{ key: 'vms', effect: 'NoSchedule' }] })
    const tolerations = [{ key: 'vms', operator: 'Exists' }]
    expect(workOut({ ...host, tolerations }, tainted, fresh).availableNodes).toEqual(['n0'])
  })

  test('that bears no labels of KubeVirt is none for machines', () => {
    const out = workOut(host, [clusterNode('plain')], fresh)
    expect(out.availableNodes).toEqual([])
    expect(conditionOf(out, 'Ready')?.[2]).toContain('no node bears the labels')
  })

  test('that is not available counts for what is discovered', () => {
    const out = workOut(
      universal,
      nodes({ features: ['a', 'b'] }, { isReady: false, features: ['a'] }),
      fresh,
    )
    expect(out.cpuFeatures).toEqual({ enabled: ['a'], notEnabledCommon: ['b'] })
  })

  test('is named in a cluster as large as Kubernetes takes, and counted beyond', () => {
    const many = Array.from({ length: 5003 }, () => ({}))
    const out = workOut(host, nodes(...many), fresh)
    expect(out.availableNodes).toHaveLength(5000)
    expect(conditionOf(out, 'Ready')?.[2]).toBe('3 more node(s) suit than are listed')
  })
})

describe('discovery', () => {
  const found = { features: ['avx'], rediscover: null }
  const two = nodes({ features: ['avx', 'vmx'] }, { features: ['avx', 'vmx', 'more'] })

  test('stays as it was found, and tells what else the nodes share', () => {
    const out = workOut(universal, two, { discovered: found, rediscover: null })
    expect(out.cpuFeatures).toEqual({ enabled: ['avx'], notEnabledCommon: ['vmx'] })
    expect(out.discovered).toBe(found)
  })

  test('is done again for each new value of the annotation, and once', () => {
    const out = workOut(universal, two, { discovered: found, rediscover: '1' })
    expect(out.discovered).toEqual({ features: ['avx', 'vmx'], rediscover: '1' })
    const again = workOut(universal, nodes({}), { discovered: out.discovered, rediscover: '1' })
    expect(again.discovered).toBe(out.discovered)
    expect(again.phase).toBe('Pending')
  })

  test('is not done again when the annotation is taken away, and is when it comes back', () => {
    const before = { features: ['avx'], rediscover: '1' }
    const { discovered } = workOut(universal, two, { discovered: before, rediscover: null })
    expect(discovered).toEqual({ features: ['avx'], rediscover: null })
    const again = workOut(universal, two, { discovered, rediscover: '1' })
    expect(again.discovered).toEqual({ features: ['avx', 'vmx'], rediscover: '1' })
  })

  test('keeps what was found when it is asked for in vain, and goes on trying', () => {
    const discovery = { matchLabels: { group: 'gone' } }
    const lost: NodeClass = { cpu: { type: 'Discovery', discovery } }
    const out = workOut(lost, two, { discovered: found, rediscover: '1' })
    expect(out).toMatchObject({ phase: 'Ready', discovered: found })
    expect(conditionOf(out, 'Discovered')).toEqual([
      'False',
      'DiscoveryFailed',
      'none of 2 node(s) is selected by spec.cpu.discovery; what was found before stays',
    ])
    const back = nodes({ labels: { group: 'gone' }, features: ['avx', 'vmx'] })
    const again = workOut(lost, back, { discovered: out.discovered, rediscover: '1' })
    expect(again.discovered).toEqual({ features: ['avx', 'vmx'], rediscover: '1' })
  })

  test.each([
    ['no node is there', [], /^no node bears the labels/],
    [
      'nodes share nothing',
      nodes({ features: ['a'] }, { features: ['b'] }),
      /^the 2 node\(s\) that spec.cpu.discovery selects have no CPU feature in common$/,
    ],
  ])('finds nothing while %s', (_when, all, message) => {
    const out = workOut(universal, all, fresh)
    expect(conditionOf(out, 'Ready')?.slice(0, 2)).toEqual(['False', 'NoCpuFeaturesEnabled'])
    expect(conditionOf(out, 'Discovered')?.[1]).toBe('DiscoveryFailed')
    expect(conditionOf(out, 'Ready')?.[2]).toMatch(message)
    expect(out).toMatchObject({ phase: 'Pending', availableNodes: [], discovered: null })
  })

  test('that was found holds when the pool is empty', () => {
    const blue: NodeClass = { cpu: { type: 'Discovery', discovery: group('blue') } }
    const green = guide.filter(({ name }) => name.startsWith('green'))
    const before = { discovered: workOut(blue, guide, fresh).discovered, rediscover: null }
    expect(workOut(blue, green, before)).toMatchObject({
      phase: 'Ready',
      availableNodes: ['green-1', 'green-2'],
      cpuFeatures: { enabled: cpuX.toSorted(), notEnabledCommon: ['avx512'] },
    })
  })
})

describe('for any nodes', () => {
  const words = fc.subarray(['a', 'b', 'c', 'd'])
  const shape = fc.record({
    features: words,
    isReady: fc.boolean(),
    isCordoned: fc.boolean(),
    labels: fc.constantFrom({ group: 'blue' }, { group: 'green' }, {}),
    cpu: fc.constantFrom('1', '1500m', '64'),
    memory: fc.constantFrom('1Gi', '1536Mi'),
  })
  const shapes = fc.array(shape, { maxLength: 6 })
  const all = (shapes: readonly NodeShape[]) => nodes(...shapes)

  test('the result is that of the slow way, in whichever order they come', () => {
    fc.assert(
      fc.property(shapes, fc.boolean(), (shapes, isReversed) => {
        const nodeClass = { ...universal, nodeSelector: group('blue') }
        const ordered = isReversed ? all(shapes).toReversed() : all(shapes)
        const out = workOut(nodeClass, ordered, fresh)
        const pool = shapes.filter(({ features }) => features.length > 0)
        const enabled = ['a', 'b', 'c', 'd'].filter(
          (word) => pool.length > 0 && pool.every(({ features }) => features.includes(word)),
        )
        const suits = ({ labels, isReady, isCordoned }: NodeShape) =>
          enabled.length > 0 && labels?.['group'] === 'blue' && isReady && !isCordoned
        const available = shapes.flatMap((shape, index) =>
          pool.includes(shape) && suits(shape) ? [`n${index}`] : [],
        )
        expect(out.cpuFeatures?.enabled).toEqual(enabled)
        expect(out.availableNodes).toEqual(available)
        expect(out.phase).toBe(available.length > 0 ? 'Ready' : 'Pending')
      }),
    )
  })

  test('what was found once stays, and every node that is available has all of it', () => {
    fc.assert(
      fc.property(fc.array(shapes, { minLength: 1, maxLength: 5 }), (times) => {
        let before = fresh
        for (const shapes of times) {
          const out = workOut(universal, all(shapes), before)
          if (before.discovered) expect(out.discovered).toBe(before.discovered)
          for (const name of out.availableNodes) {
            const features = shapes[Number(name.slice(1))]?.features ?? []
            expect(features).toEqual(expect.arrayContaining([...(out.cpuFeatures?.enabled ?? [])]))
          }
          before = { rediscover: null, discovered: out.discovered }
        }
      }),
    )
  })
})
