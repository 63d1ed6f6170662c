import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { cpuX, cpuY, guideNodes } from '../support/cluster-nodes.ts'
import { Api } from '../support/cluster/api.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion, type Companion } from '../support/cluster/companion.ts'
import { manifestInGuide } from '../support/cluster/guide-text.ts'
import { NodeApi } from '../support/cluster/node-api.ts'
import { guidePolicies } from '../support/machine-classes.ts'

const fixtures = fileURLToPath(new URL('fixtures', import.meta.url))
const apiVersion = 'virtualization.deckhouse.io/v1alpha2'
const domain = 'virtualmachineclass.virtualization.deckhouse.io'
const patience = { timeout: 30_000, interval: 50 }
/** Nobody has to be there: images are not what this is about. */
const noService = 'http://127.0.0.1:9'

const conditions = z
  .array(
    z.object({ type: z.string(), status: z.string(), reason: z.string(), message: z.string() }),
  )
  .default([])
const read = z.object({
  status: z.looseObject({ phase: z.string().optional(), conditions }).prefault({}),
})

describe.skipIf(!needsCluster())('classes in a cluster', () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let nodes: NodeApi
  let companion: Companion

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    await cluster.applyCrds()
    nodes = new NodeApi(held.use(await Api.open(cluster)))
    for (const [name, shape] of guideNodes) await nodes.create(name, shape)
    await cluster.apply(manifestInGuide('universal'))
    const { kubeconfig } = cluster
    const variables = { SLIPWAY_LEADER_NAMESPACE: 'default' }
    companion = held.use(await startCompanion({ kubeconfig, service: noService, variables }))
  })
  afterAll(() => held.disposeAsync())

  async function statusOf(name: string, kind = 'vmclass') {
    return read.parse(await cluster.read(kind, name, '-n', 'default')).status
  }

  async function condition(name: string, type: string, kind?: string) {
    const found = (await statusOf(name, kind)).conditions.find((each) => each.type === type)
    return found && [found.status, found.reason, found.message]
  }

  async function expectNodes(name: string, ...all: readonly string[]): Promise<void> {
    await expect.poll(async () => (await statusOf(name))['availableNodes'], patience).toEqual(all)
  }

  async function machine(name: string, className: string, cores = 2): Promise<void> {
    const body = {
      apiVersion,
      kind: 'VirtualMachine',
      metadata: { name, namespace: 'default' },
      spec: { virtualMachineClassName: className, cpu: { cores }, memory: { size: '2Gi' } },
    }
    await cluster.apply(JSON.stringify(body))
  }

  const [blue, green] = [
    ['blue-1', 'blue-2'],
    ['green-1', 'green-2'],
  ] as const

  test("the guide's classes find the nodes and features that the guide tells of", async () => {
    await expectNodes('universal', ...blue, ...green)
    await expectNodes('cpu-x', ...blue)
    await expectNodes('cpu-y', ...green)
    expect(await statusOf('universal')).toMatchObject({
      phase: 'Ready',
      cpuFeatures: { enabled: cpuX.toSorted(), notEnabledCommon: [] },
      maxAllocatableResources: { cpu: '32', memory: '128Gi' },
      observedGeneration: 1,
    })
    expect(await statusOf('cpu-x')).toMatchObject({ cpuFeatures: { enabled: cpuX.toSorted() } })
    expect(await statusOf('cpu-y')).toMatchObject({ cpuFeatures: { enabled: cpuY.toSorted() } })
    expect(await condition('cpu-y', 'Discovered')).toEqual(['True', 'DiscoverySucceeded', ''])
    expect(await cluster.kubectl('get', 'vmclass', 'universal', '--no-headers')).toMatch(
      /^universal +Ready +\S+\n$/,
    )
  })

  test('the presets are there, and one that is deleted stays so', async () => {
    await expectNodes('host', ...blue, ...green)
    await expectNodes('host-passthrough', ...blue, ...green)
    await expect
      .poll(() => condition('generic', 'Ready'), patience)
      .toEqual(['False', 'NoSuitableNodesFound', 'no node suits: 4 without the CPU model Nehalem'])
    await cluster.kubectl('delete', 'vmclass', 'host-passthrough', '--timeout=30s')
    await companion.stop()
    await companion.start()
    await nodes.change('blue-1', {
      metadata: { labels: { 'cpu-model.node.kubevirt.io/Nehalem': 'true' } },
    })
    await expectNodes('generic', 'blue-1')
    const there = await cluster.kubectl('get', 'vmclass', '-o', 'name')
    expect(there).not.toContain('host-passthrough')
  })

  test('nodes that are cordoned, tainted, not Ready, changed or gone are left out', async () => {
    await nodes.change('blue-1', { spec: { unschedulable: true } })
    await expectNodes('universal', 'blue-2', ...green)
    await nodes.change('blue-1', { spec: { unschedulable: false } })
    await expectNodes('universal', ...blue, ...green)
    await nodes.change('blue-2', { spec: { taints: [{ key: 'vms', effect: 'NoExecute' }] } })
    await expectNodes('cpu-x', 'blue-1')
    const tolerations = [{ key: 'vms', operator: 'Exists' }]
    const tolerating = JSON.stringify({ spec: { tolerations } })
    await cluster.kubectl('patch', 'vmclass', 'cpu-x', '--type=merge', '-p', tolerating)
    await expectNodes('cpu-x', ...blue)
    await nodes.change('blue-2', { spec: { taints: null } })
    const unready = { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }
    await nodes.change('green-1', unready, '/status')
    await expectNodes('cpu-y', 'green-2')
    await nodes.change('green-2', {
      metadata: { labels: { 'cpu-feature.node.kubevirt.io/avx512': null } },
    })
    await expectNodes('cpu-y')
    expect(await condition('cpu-y', 'Ready')).toEqual([
      'False',
      'NoSuitableNodesFound',
      'no node suits: 1 not Ready, 3 without all the CPU features',
    ])
    expect(await statusOf('cpu-y')).toMatchObject({ cpuFeatures: { enabled: cpuY.toSorted() } })
    await nodes.delete('green-1')
    await expectNodes('universal', ...blue, 'green-2')
    const events = await cluster.kubectl('describe', 'vmclass', 'cpu-y')
    expect(events).toMatch(/Warning +AvailableNodesListEmpty/)
    expect(events).toMatch(/Normal +NodesWereUpdated/)
  })

  test('what was discovered stays until the annotation asks for it anew', async () => {
    await cluster.kubectl('annotate', 'vmclass', 'cpu-y', `${domain}/rediscover=once`)
    await expect
      .poll(async () => await statusOf('cpu-y'), patience)
      .toMatchObject({ phase: 'Ready', cpuFeatures: { enabled: cpuX.toSorted() } })
    await nodes.change('green-2', {
      metadata: { labels: { 'cpu-feature.node.kubevirt.io/avx512': 'true' } },
    })
    await expect
      .poll(async () => await statusOf('cpu-y'), patience)
      .toMatchObject({
        cpuFeatures: { enabled: cpuX.toSorted(), notEnabledCommon: [] },
        availableNodes: [...blue, 'green-2'],
      })
    const lost = ['--subresource=status', '--type=merge', '-p', '{"status": null}']
    await cluster.kubectl('patch', 'vmclass', 'cpu-y', ...lost)
    await expect
      .poll(async () => await statusOf('cpu-y'), patience)
      .toMatchObject({ cpuFeatures: { enabled: cpuX.toSorted() }, rediscovered: 'once' })
    const foreign = JSON.stringify({ status: { cpuFeatures: { enabled: ['made-up'] } } })
    const written = ['--subresource=status', '--type=merge', '-p', foreign]
    await cluster.kubectl('patch', 'vmclass', 'cpu-y', ...written)
    await expect
      .poll(async () => await statusOf('cpu-y'), patience)
      .toMatchObject({ cpuFeatures: { enabled: cpuX.toSorted() } })
  })

  test('a class that machines name is not deleted, and they are told whether they fit', async () => {
    await cluster.kubectl('apply', '-f', `${fixtures}/virtualmachines.yaml`)
    const crd = 'crd/virtualmachines.virtualization.deckhouse.io'
    await cluster.kubectl('wait', '--for=condition=Established', crd, '--timeout=30s')
    await machine('vm', 'universal')
    await expect
      .poll(() => condition('universal', 'InUse'), patience)
      .toEqual(['True', 'VirtualMachineClassInUse', 'named by 1 virtual machine(s): default/vm'])
    await expect
      .poll(() => condition('vm', 'SizingPolicyMatched', 'virtualmachine'), patience)
      .toEqual(['True', 'SizingPolicyMatched', ''])
    const policies = JSON.stringify({ spec: { sizingPolicies: guidePolicies.slice(1) } })
    await cluster.kubectl('patch', 'vmclass', 'universal', '--type=merge', '-p', policies)
    await expect
      .poll(() => condition('vm', 'SizingPolicyMatched', 'virtualmachine'), patience)
      .toEqual([
        'False',
        'SizingPolicyNotMatched',
        'does not match any sizing policy of VirtualMachineClass "universal": its 2 CPU core(s) fall outside the allowed ranges (5-8, 9-16, 17-1024); set the number of cores (spec.cpu.cores) accordingly',
      ])
    expect(await cluster.kubectl('describe', 'vmclass', 'universal')).toContain(
      'SizingPoliciesWereChanged',
    )
    await cluster.kubectl('delete', 'vmclass', 'universal', '--wait=false')
    await expect.poll(async () => (await statusOf('universal')).phase, patience).toBe('Terminating')
    await cluster.kubectl('delete', 'virtualmachine', 'vm', '-n', 'default')
    await cluster.kubectl('wait', '--for=delete', 'vmclass/universal', '--timeout=30s')
  })

  test('two default classes are both told so, until one is left', async () => {
    const machineWithout = async (name: string) => {
      const spec = { cpu: { cores: 2 }, memory: { size: '2Gi' } }
      const metadata = { name, namespace: 'default' }
      await cluster.apply(JSON.stringify({ apiVersion, kind: 'VirtualMachine', metadata, spec }))
    }
    const annotation = `${domain}/is-default-class`
    for (const name of ['cpu-x', 'cpu-y'])
      await cluster.kubectl('annotate', 'vmclass', name, `${annotation}=true`)
    await machineWithout('nameless')
    const told = (other: string) => [
      'False',
      'SeveralDefaultClasses',
      `machines that name no class get none, as there are other default classes: ${other}; take the annotation ${annotation} from all but one`,
    ]
    await expect.poll(() => condition('cpu-x', 'Default'), patience).toEqual(told('cpu-y'))
    await expect.poll(() => condition('cpu-y', 'Default'), patience).toEqual(told('cpu-x'))
    const matched = () => condition('nameless', 'SizingPolicyMatched', 'virtualmachine')
    await expect
      .poll(matched, patience)
      .toEqual([
        'False',
        'VirtualMachineClassNotFound',
        'no VirtualMachineClass is named, and more than one is the default; set the class (spec.virtualMachineClassName) to one of: cpu-x, cpu-y, generic, host',
      ])
    await cluster.kubectl('annotate', 'vmclass', 'cpu-y', `${annotation}-`)
    await expect.poll(() => condition('cpu-x', 'Default'), patience).toBeUndefined()
    await expect.poll(() => condition('cpu-y', 'Default'), patience).toBeUndefined()
    await expect.poll(matched, patience).toEqual(['True', 'SizingPolicyMatched', ''])
    await cluster.kubectl('delete', 'virtualmachine', 'nameless', '-n', 'default')
  })

  test('a cluster that has machines no more keeps no class from going', async () => {
    await machine('last', 'cpu-x')
    await expect.poll(() => condition('cpu-x', 'InUse'), patience).toBeDefined()
    await cluster.kubectl('delete', '-f', `${fixtures}/virtualmachines.yaml`, '--timeout=30s')
    await cluster.kubectl('delete', 'vmclass', 'cpu-x', '--timeout=40s')
    expect(companion.isRunning).toBe(true)
  })
})
