import { describe, expect, test } from 'vitest'
import { Refusal } from '../../../../src/errors.ts'
import { ClusterStandIn } from '../../../support/cluster-stand-in.ts'
import { cpuX, guideNodes } from '../../../support/cluster-nodes.ts'
import { defaultClass, guidePolicies } from '../../../support/machine-classes.ts'
import {
  classesPath,
  machinePath,
  machinesHere,
  noMachines,
  putNode,
  ReconcilingClasses,
} from '../../../support/reconciling-classes.ts'

const discovery = { cpu: { type: 'Discovery', discovery: {} } }
const host = { cpu: { type: 'Host' } }
const domain = 'virtualmachineclass.virtualization.deckhouse.io'

async function guide(): Promise<ReconcilingClasses> {
  const api = new ClusterStandIn()
  for (const [name, shape] of guideNodes) putNode(api, name, shape)
  const play = new ReconcilingClasses(api)
  play.apply('universal', discovery)
  await play.until(() => expect(play.class('universal')?.status?.phase).toBe('Ready'))
  return play
}

describe('the status of a class', () => {
  test('tells its nodes, features and the largest machine, once', async () => {
    await using play = await guide()
    const { status, metadata } = play.class('universal') ?? {}
    expect(metadata?.finalizers).toEqual(['virtualization.deckhouse.io/vmclass-cleanup'])
    expect(status).toMatchObject({
      availableNodes: ['blue-1', 'blue-2', 'green-1', 'green-2'],
      cpuFeatures: { enabled: cpuX.toSorted(), notEnabledCommon: [] },
      maxAllocatableResources: { cpu: '32', memory: '128Gi' },
      observedGeneration: 1,
    })
    expect(play.api.events).toEqual(['NodesWereUpdated'])
    expect(play.failures).toEqual([])
  })

  test('follows nodes that leave, are cordoned and tainted', async () => {
    await using play = await guide()
    const expectNodes = (...names: string[]) =>
      play.until(() => expect(play.class('universal')?.status?.['availableNodes']).toEqual(names))
    play.node('blue-1', { features: cpuX, isCordoned: true })
    await expectNodes('blue-2', 'green-1', 'green-2')
    play.node('blue-2', { features: cpuX, taints: [{ key: 'k', effect: 'NoSchedule' }] })
    await expectNodes('green-1', 'green-2')
    play.api.deleteByForce('green-1', '/api/v1/nodes')
    await expectNodes('green-2')
    play.node('green-2', { features: ['other'] })
    await expectNodes()
    expect(play.condition('universal')).toMatchObject({
      status: 'False',
      reason: 'NoSuitableNodesFound',
    })
    expect(play.class('universal')?.status?.['cpuFeatures']).toMatchObject({
      enabled: cpuX.toSorted(),
    })
    expect(play.api.events.at(-1)).toBe('AvailableNodesListEmpty')
  })

  test('is not looked at for what does not count of a node', async () => {
    await using play = await guide()
    const before = play.looks.length
    const [name, shape] = guideNodes[0] ?? ['', {}]
    for (const beat of ['1', '2', '3']) {
      play.node(name, { ...shape, labels: { ...shape.labels, beat } })
    }
    play.node('blue-2', { features: cpuX, labels: { group: 'blue' }, cpu: '99' })
    await play.until(() =>
      expect(play.class('universal')?.status?.['maxAllocatableResources']).toMatchObject({
        cpu: '99',
      }),
    )
    // One for the node, and one for the status that was written.
    expect(play.looks.length - before).toBeLessThanOrEqual(2)
  })

  test('is worked out only when all nodes are known', async () => {
    const api = new ClusterStandIn()
    const away = new Refusal('CLUSTER_REFUSED', 'not yet')
    const allow = api.refuse(/^get .*nodes$/, away)
    await using play = new ReconcilingClasses(api)
    play.node('n')
    play.apply('host', host)
    await play.until(() => expect(play.looks.length).toBeGreaterThan(2))
    expect(play.class('host')?.status).toBeUndefined()
    allow()
    await play.until(() => expect(play.class('host')?.status?.phase).toBe('Ready'))
    expect(api.events).toEqual(['NodesWereUpdated'])
  })
})

describe('what was discovered', () => {
  const more = [...cpuX, 'new']
  const upgrade = (play: ReconcilingClasses) => {
    for (const [name] of guideNodes) play.node(name, { features: more })
  }
  const annotationsOf = (play: ReconcilingClasses) =>
    (play.class('universal')?.metadata['annotations'] ?? {}) as Record<string, string>
  const features = (play: ReconcilingClasses) => play.class('universal')?.status?.['cpuFeatures']

  test('stays, until the annotation asks for it anew', async () => {
    await using play = await guide()
    upgrade(play)
    await play.until(() =>
      expect(features(play)).toEqual({ enabled: cpuX.toSorted(), notEnabledCommon: ['new'] }),
    )
    play.apply('universal', discovery, {
      ...annotationsOf(play),
      [`${domain}/rediscover`]: '1',
    })
    await play.until(() =>
      expect(features(play)).toEqual({ enabled: more.toSorted(), notEnabledCommon: [] }),
    )
    expect(play.class('universal')?.status).toMatchObject({ rediscovered: '1' })
  })

  test('survives the loss of the status', async () => {
    await using play = await guide()
    upgrade(play)
    await play.until(() => expect(features(play)).toMatchObject({ notEnabledCommon: ['new'] }))
    play.api.put(`${classesPath}/universal`, { spec: discovery, status: {} })
    await play.until(() => expect(play.class('universal')?.status?.phase).toBe('Ready'))
    expect(features(play)).toEqual({ enabled: cpuX.toSorted(), notEnabledCommon: ['new'] })
  })

  test('is not what somebody else writes into the status', async () => {
    await using play = await guide()
    const cpuFeatures = { enabled: ['made-up'] }
    const status = { ...play.class('universal')?.status, cpuFeatures }
    play.api.put(`${classesPath}/universal`, { spec: discovery, status })
    await play.until(() => expect(features(play)).toMatchObject({ enabled: cpuX.toSorted() }))
  })

  test('is the same when a crash came before it was told', async () => {
    await using play = await guide()
    upgrade(play)
    await play.until(() => expect(features(play)).toMatchObject({ notEnabledCommon: ['new'] }))
    const stop = play.api.refuse(/^apply .*universal.status/, new Refusal('CLUSTER_REFUSED', 'no'))
    const asked = { ...annotationsOf(play), [`${domain}/rediscover`]: '1' }
    play.apply('universal', discovery, asked)
    await play.until(() =>
      expect(annotationsOf(play)[`${domain}/discovered`]).toContain('"rediscover":"1"'),
    )
    for (const [name] of guideNodes) play.node(name, { features: [...more, 'later'] })
    stop()
    await play.until(() =>
      expect(features(play)).toEqual({ enabled: more.toSorted(), notEnabledCommon: ['later'] }),
    )
  })

  test('is not taken over from another class by a copied annotation', async () => {
    await using play = await guide()
    upgrade(play)
    await play.until(() => expect(features(play)).toMatchObject({ notEnabledCommon: ['new'] }))
    play.apply('copy', discovery, annotationsOf(play))
    await play.until(() => expect(play.class('copy')?.status?.phase).toBe('Ready'))
    expect(play.class('copy')?.status).toMatchObject({ cpuFeatures: { enabled: more.toSorted() } })
  })
})

describe('the deletion of a class', () => {
  const machine = {
    virtualMachineClassName: 'universal',
    cpu: { cores: 1 },
    memory: { size: '1Gi' },
  }

  test('waits for as long as machines name it, and tells which', async () => {
    await using play = await guide()
    play.machine('vm', machine)
    await play.until(() =>
      expect(play.condition('universal', 'InUse')).toMatchObject({
        status: 'True',
        reason: 'VirtualMachineClassInUse',
        message: 'named by 1 virtual machine(s): default/vm',
      }),
    )
    play.api.delete('universal', classesPath)
    await play.until(() => expect(play.class('universal')?.status?.phase).toBe('Terminating'))
    expect(play.condition('universal', 'InUse')?.message).toBe(
      'it is deleted when no machine names it any more; named by 1 virtual machine(s): default/vm',
    )
    play.machine('vm', { ...machine, virtualMachineClassName: 'other' })
    await play.until(() => expect(play.class('universal')).toBeNull())
    expect(play.failures).toEqual([])
  })

  test('waits for a machine that came while it was looked at', async () => {
    await using play = await guide()
    play.api.onRequest = (when) => {
      if (when === 'before' || play.class('universal')?.status?.phase !== 'Terminating') return
      play.api.onRequest = () => undefined
      play.machine('late', machine)
    }
    play.api.delete('universal', classesPath)
    await play.until(() =>
      expect(play.condition('universal', 'InUse')?.message).toContain('default/late'),
    )
    play.api.deleteByForce('late', machinesHere)
    await play.until(() => expect(play.class('universal')).toBeNull())
    expect(play.failures).toEqual([])
  })

  test.each([
    ['a text', 'odd'],
    ['conditions that are no list', { conditions: { Ready: true } }],
    ['conditions without a type', { conditions: [{ status: 'True' }] }],
  ])('waits for a machine whose status has %s', async (_, status) => {
    await using play = await guide()
    play.api.put(machinePath('odd'), { spec: machine, status })
    play.machine('known', { ...machine, virtualMachineClassName: 'host' })
    await play.until(() => expect(play.matched('known')).toBeDefined())
    play.api.delete('universal', classesPath)
    await play.until(() => expect(play.class('universal')?.status?.phase).toBe('Terminating'))
    expect(play.condition('universal', 'InUse')?.message).toContain('default/odd')
    play.api.deleteByForce('odd', machinesHere)
    await play.until(() => expect(play.class('universal')).toBeNull())
  })

  test('goes on when the last machine went while another process led', async () => {
    await using play = await guide()
    play.machine('vm', machine)
    await play.until(() => expect(play.condition('universal', 'InUse')).toBeDefined())
    await play.whileAnotherLeads(async () => {
      play.api.deleteByForce('vm', machinesHere)
      await play.until(() => expect(play.known).toEqual([]))
    })
    play.api.delete('universal', classesPath)
    await play.until(() => expect(play.class('universal')).toBeNull())
  })

  test('goes on in a cluster without such machines', async () => {
    const api = new ClusterStandIn()
    api.refuse(/^get .*virtualmachines$/, noMachines)
    await using play = new ReconcilingClasses(api)
    play.apply('host', host)
    await play.until(() => expect(play.condition('host')?.reason).toBe('NoSuitableNodesFound'))
    api.delete('host', classesPath)
    await play.until(() => expect(play.class('host')).toBeNull())
  })

  test('goes on where the API server takes no status of it', async () => {
    await using play = await guide()
    play.api.refuse(/^apply .*universal.status/, new Refusal('CLUSTER_REFUSED', 'no'))
    play.api.delete('universal', classesPath)
    await play.until(() => expect(play.class('universal')).toBeNull())
    expect(play.failures).toEqual([])
  })

  test('waits for as long as it is not known which machines there are', async () => {
    const api = new ClusterStandIn()
    const allow = api.refuse(/^get .*virtualmachines$/, new Refusal('CLUSTER_REFUSED', 'forbidden'))
    await using play = new ReconcilingClasses(api)
    play.node('n')
    play.apply('host', host)
    await play.until(() => expect(play.class('host')?.status?.phase).toBe('Ready'))
    expect(play.condition('host', 'InUse')).toBeUndefined()
    api.delete('host', classesPath)
    await play.until(() => expect(play.class('host')?.status?.phase).toBe('Terminating'))
    expect(play.condition('host', 'InUse')).toMatchObject({
      status: 'Unknown',
      reason: 'VirtualMachinesUnknown',
      message:
        'it is deleted when it is known that no machine names it, and the API server does not tell which there are: forbidden',
    })
    allow()
    await play.until(() => expect(play.class('host')).toBeNull())
  })
})

test('what was said of machines stays until they are known again', async () => {
  const api = new ClusterStandIn()
  putNode(api, 'n')
  const allow = api.refuse(/^get .*virtualmachines$/, new Refusal('CLUSTER_REFUSED', 'no'))
  const inUse = { type: 'InUse', status: 'True', reason: 'VirtualMachineClassInUse', message: 'vm' }
  const conditions = [{ ...inUse, lastTransitionTime: '2026-01-01T00:00:00Z' }]
  api.put(`${classesPath}/host`, { spec: host, status: { conditions } })
  await using play = new ReconcilingClasses(api)
  await play.until(() => expect(play.class('host')?.status?.phase).toBe('Ready'))
  expect(play.condition('host', 'InUse')).toMatchObject(inUse)
  allow()
  await play.until(() => expect(play.condition('host', 'InUse')).toBeUndefined())
})

describe('a machine', () => {
  const spec = (cores: number, size: string) => ({
    virtualMachineClassName: 'sized',
    cpu: { cores },
    memory: { size },
  })

  test('is told whether it fits its class, and when that changes', async () => {
    await using play = new ReconcilingClasses()
    play.apply('sized', { ...host, sizingPolicies: guidePolicies })
    play.machine('fits', spec(2, '2Gi'))
    play.machine('large', spec(2, '16Gi'))
    await play.until(() => {
      expect(play.matched('fits')).toMatchObject({ status: 'True', reason: 'SizingPolicyMatched' })
      expect(play.matched('large')).toMatchObject({
        status: 'False',
        reason: 'SizingPolicyNotMatched',
        message:
          'the memory size (16Gi) is out of the range allowed by the sizing policy; set the memory size (spec.memory.size) between 1Gi and 8Gi',
      })
    })
    play.apply('sized', host)
    await play.until(() => expect(play.matched('large')?.status).toBe('True'))
    expect(play.api.events).toContain('SizingPoliciesWereChanged')
  })

  test('keeps the conditions of others', async () => {
    await using play = new ReconcilingClasses()
    play.apply('sized', host)
    const other = { type: 'Running', status: 'True', more: 1 }
    play.api.put(machinePath('vm'), { spec: spec(1, '1Gi'), status: { conditions: [other] } })
    await play.until(() => expect(play.matched('vm')?.status).toBe('True'))
    expect(play.api.at(machinePath('vm'))?.status?.conditions).toEqual([
      other,
      expect.objectContaining({ type: 'SizingPolicyMatched' }),
    ])
  })

  test('keeps conditions that are none as they are', async () => {
    await using play = new ReconcilingClasses()
    play.apply('sized', host)
    const odd = { conditions: { Running: true } }
    play.api.put(machinePath('odd'), { spec: spec(1, '1Gi'), status: odd })
    play.machine('known', spec(1, '1Gi'))
    await play.until(() => expect(play.matched('known')?.status).toBe('True'))
    expect(play.api.at(machinePath('odd'))?.status).toEqual(odd)
    expect(play.failures).toEqual([])
  })

  test('is left in peace where it has no status to be written', async () => {
    const api = new ClusterStandIn()
    const none = new Refusal('CLUSTER_NOT_FOUND', 'no such subresource')
    api.refuse(/^merge .*virtualmachines.bare.status$/, none)
    await using play = new ReconcilingClasses(api)
    play.apply('sized', host)
    play.machine('bare', spec(1, '1Gi'))
    await play.until(() => expect(api.asked.some(({ path }) => path.includes('bare/'))).toBe(true))
    play.machine('known', spec(1, '1Gi'))
    await play.until(() => expect(play.matched('known')).toBeDefined())
    expect([...play.outdated, ...play.failures]).toEqual([])
  })

  test('is told since when, also where somebody took that away', async () => {
    await using play = new ReconcilingClasses()
    play.apply('sized', host)
    const type = 'SizingPolicyMatched'
    const bare = { type, status: 'True', reason: type, message: 'odd' }
    play.api.put(machinePath('vm'), { spec: spec(1, '1Gi'), status: { conditions: [bare] } })
    await play.until(() => expect(play.matched('vm')?.message).toBe(''))
    expect(play.matched('vm')).toMatchObject({ lastTransitionTime: expect.any(String) })
  })

  test.each([
    ['names', 'sized'],
    ['has by default', ''],
  ])('is told that the class that it %s cannot be read', async (_, virtualMachineClassName) => {
    await using play = new ReconcilingClasses()
    const overlapping = [{ cores: { min: 1, max: 10 } }, { cores: { min: 3, max: 5 } }]
    play.apply('sized', { ...host, sizingPolicies: overlapping }, defaultClass)
    play.machine('vm', { ...spec(1, '1Gi'), virtualMachineClassName })
    await play.until(() =>
      expect(play.matched('vm')).toMatchObject({
        status: 'Unknown',
        reason: 'SizingPolicyNotEvaluated',
        message: expect.stringContaining(
          'the class cannot be read: spec.sizingPolicies[1].cores: ',
        ),
      }),
    )
  })

  test('is told that its class is missing, and what cannot be read', async () => {
    await using play = new ReconcilingClasses()
    play.apply('host', host)
    play.machine('lost', spec(1, '1Gi'))
    play.machine('odd', { virtualMachineClassName: 'host', cpu: {}, memory: { size: '1Gi' } })
    await play.until(() => {
      expect(play.matched('lost')).toMatchObject({
        status: 'False',
        reason: 'VirtualMachineClassNotFound',
      })
      expect(play.matched('odd')).toMatchObject({
        status: 'Unknown',
        message: 'the machine cannot be read: spec.cpu.cores: must be a whole number',
      })
    })
    play.apply('sized', host)
    await play.until(() => expect(play.matched('lost')?.status).toBe('True'))
  })
})

describe('several default classes', () => {
  const annotation = `${domain}/is-default-class`
  const isDefault = { [annotation]: 'true' }
  const told = (others: string) => ({
    type: 'Default',
    status: 'False',
    reason: 'SeveralDefaultClasses',
    message: `machines that name no class get none, as there are other default classes: ${others}; take the annotation ${annotation} from all but one`,
  })

  test('are told so, and machines without a class, until one is left', async () => {
    await using play = new ReconcilingClasses()
    // Each is looked at once more after its status was written; what comes later is due to the others.
    for (const name of ['a', 'c', 'd']) {
      play.apply(name, host, name === 'a' ? isDefault : {})
      await play.until(() => expect(play.class(name)?.status?.phase).toBe('Pending'))
    }
    play.apply('b', host, isDefault)
    play.machine('vm', { cpu: { cores: 1 }, memory: { size: '1Gi' } })
    await play.until(() => {
      expect(play.condition('a', 'Default')).toMatchObject(told('b'))
      expect(play.condition('b', 'Default')).toMatchObject(told('a'))
      expect(play.matched('vm')?.message).toMatch(/^no VirtualMachineClass is named, and more than/)
    })
    play.apply('c', host, isDefault)
    await play.until(() => {
      expect(play.condition('a', 'Default')).toMatchObject(told('b, c'))
      expect(play.condition('c', 'Default')).toMatchObject(told('a, b'))
    })
    play.apply('a', host, { [annotation]: '' })
    play.api.deleteByForce('c', classesPath)
    await play.until(() => {
      for (const name of ['a', 'b']) expect(play.condition(name, 'Default')).toBeUndefined()
      expect(play.condition('a')).toBeDefined()
      expect(play.matched('vm')).toMatchObject({ status: 'True' })
    })
    expect(play.failures).toEqual([])
  })

  test('are no longer several when all but one are on their way out', async () => {
    await using play = new ReconcilingClasses()
    for (const name of ['a', 'b']) play.apply(name, host, isDefault)
    const spec = { cpu: { cores: 1 }, memory: { size: '1Gi' } }
    play.machine('user', { ...spec, virtualMachineClassName: 'b' })
    play.machine('vm', spec)
    await play.until(() => {
      expect(play.condition('a', 'Default')).toMatchObject(told('b'))
      expect(play.matched('vm')?.message).toMatch(/^no VirtualMachineClass is named, and more than/)
      expect(play.condition('b', 'InUse')?.status).toBe('True')
    })
    play.api.delete('b', classesPath)
    await play.until(() => {
      for (const name of ['a', 'b']) expect(play.condition(name, 'Default')).toBeUndefined()
      for (const name of ['user', 'vm'])
        expect(play.matched(name)).toMatchObject({ status: 'True' })
    })
    expect(play.failures).toEqual([])
  })
})
