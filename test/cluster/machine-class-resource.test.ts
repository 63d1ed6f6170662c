import { load } from 'js-yaml'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { virtualMachineClassStatus } from '../../src/machine/class-resource.ts'
import { definition } from '../../src/sync/crd/definition.ts'
import { virtualMachineClass } from '../../src/sync/crd/virtual-machine-class.ts'
import { Api } from '../support/cluster/api.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { ClassApi, classManifest, loosened } from '../support/cluster/class-api.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { deploy } from '../support/cluster/deployment.ts'
import { fragmentInGuide, manifestInGuide } from '../support/cluster/guide-text.ts'
import { defaultClass } from '../support/machine-classes.ts'

const able = needsCluster()
const held = new AsyncDisposableStack()
let cluster: Cluster
let classes: ClassApi

/** The API server takes a changed definition into use in its own time; in milliseconds. */
const adoption = { timeout: 30_000, interval: 50 }

beforeAll(async () => {
  if (!able) return
  cluster = held.use(await startCluster())
  await cluster.applyCrds()
  classes = new ClassApi(held.use(await Api.open(cluster)))
})
afterAll(() => held.disposeAsync())

const created = (...names: readonly string[]) =>
  names.map((name) => `virtualmachineclass.virtualization.deckhouse.io/${name} created\n`).join('')
const fragment = z.object({ spec: z.looseObject({}) })
const host = { cpu: { type: 'Host' } }
const cores = (min: number, max: number) => ({ cores: { min, max } })

describe.skipIf(!able)('a VirtualMachineClass', () => {
  test('is what the guide writes, but for a placeholder and names in upper case', async () => {
    const strict = '--validate=strict'
    const four = await cluster.apply(manifestInGuide('universal'), strict)
    expect(four).toBe(created('universal', 'cpu-x', 'cpu-y'))
    expect(await cluster.apply(manifestInGuide('discovery'), strict)).toBe(created('discovery'))
    const green = { key: 'group', operator: 'In', values: ['green'] }
    expect(await classes.read('cpu-y')).toMatchObject({
      spec: { cpu: { type: 'Discovery', discovery: { matchExpressions: [green] } } },
    })
    expect(await classes.read('universal')).toHaveProperty('spec', {
      cpu: { type: 'Discovery', discovery: {} },
    })
    expect(await classes.read('discovery')).toMatchObject(
      Object(load(manifestInGuide('discovery'))),
    )
    expect(await cluster.apply(manifestInGuide('discovery'), strict)).toContain('unchanged')
  })

  test.each(['Features', 'Discovery', 'Model'])('is what the guide says of %s', async (type) => {
    const { spec } = fragment.parse(load(fragmentInGuide(type)))
    const name = `of-${type.toLowerCase()}`
    const text = JSON.stringify(classManifest(name, spec))
    expect(await cluster.apply(text, '--validate=strict')).toBe(created(name))
    expect(await classes.read(name)).toHaveProperty('spec', spec)
  })

  test('has the other shape of discovery, too, and loses nothing of it', async () => {
    const nodeSelector = {
      matchLabels: { group: 'green' },
      matchExpressions: [{ key: 'a', operator: 'Gt', values: ['7'] }],
    }
    const spec = { cpu: { type: 'Discovery', discovery: { nodeSelector } } }
    await classes.create('other-shape', spec)
    expect(await classes.read('other-shape')).toHaveProperty('spec', spec)
  })

  test('is brought in three times, without a warning', async () => {
    const presets = `${deploy}/presets`
    const args = ['apply', '--server-side', '--validate=strict', '--warnings-as-errors', '-f']
    const { code, stderr } = await cluster.attemptKubectl([...args, presets])
    expect([code, stderr]).toEqual([0, ''])
    const status = { phase: 'Ready' }
    for (const name of ['generic', 'host', 'host-passthrough']) {
      expect(await classes.patch(name, { status }, '/status')).toEqual([])
    }
    const annotations = { annotations: defaultClass }
    expect(await classes.patch('generic', { metadata: annotations })).toEqual([])
    const names = ['generic', 'host', 'host-passthrough']
    const table = await cluster.kubectl('get', 'virtualmachineclass', ...names)
    const [header, ...rows] = table.trimEnd().split('\n')
    expect(header).toBe('NAME               PHASE   AGE')
    expect(rows.map((row) => row.replace(/\d+s$/, ''))).toEqual([
      'generic            Ready   ',
      'host               Ready   ',
      'host-passthrough   Ready   ',
    ])
    const wide = await cluster.kubectl('get', 'vmclass', 'generic', '-o', 'wide')
    expect(wide).toMatch(/^NAME +PHASE +ISDEFAULT +AGE\ngeneric +Ready +true +\d+s\n$/)
    expect(await cluster.kubectl('get', 'vmc', '-o', 'name')).toContain('/host-passthrough\n')
  })

  test('keeps its processor, and all else may change', async () => {
    const cpu = { type: 'Discovery', discovery: { matchLabels: { a: 'b' } } }
    await classes.create('immutable', { cpu })
    const edits = [
      { type: 'Host', discovery: null },
      { discovery: { matchLabels: { a: 'c' } } },
      { discovery: null },
    ]
    for (const edit of edits) {
      const told = await classes.patch('immutable', { spec: { cpu: edit } })
      expect(told).toEqual(['spec.cpu: .spec.cpu is immutable'])
    }
    const nodeSelector = { matchLabels: { a: 'b' } }
    const tolerations = [{ operator: 'Exists' }]
    const others = { nodeSelector, tolerations, sizingPolicies: [cores(1, 4)] }
    expect(await classes.patch('immutable', { spec: others })).toEqual([])
    expect(await classes.read('immutable')).toHaveProperty('spec', { cpu, ...others })
    const overlapping = { sizingPolicies: [cores(1, 4), cores(2, 3)] }
    expect(await classes.patch('immutable', { spec: overlapping })).toEqual([
      'spec.sizingPolicies: VirtualMachineClass "immutable" has sizing policies whose core ranges overlap: 1-4 and 2-3',
    ])
  })

  /** Every field that there is. */
  const status = {
    phase: 'Ready',
    cpuFeatures: { enabled: ['sse4.1'], notEnabledCommon: ['vmx'] },
    availableNodes: ['node-1'],
    maxAllocatableResources: { cpu: '7910m', memory: '16Gi' },
    rediscovered: 'once',
    conditions: ['Discovered', 'InUse', 'Ready'].map((type) => ({
      type,
      status: 'True',
      reason: 'x',
      message: '',
      lastTransitionTime: '2026-01-02T03:04:05Z',
      observedGeneration: 1,
    })),
    observedGeneration: 1,
  }

  test('has a status that is written by itself, and keeps all of it', async () => {
    expect(Object.keys(status).sort()).toEqual(Object.keys(virtualMachineClassStatus.shape).sort())
    await classes.create('status', host)
    const written = { status: { ...status, strange: true }, spec: { sizingPolicies: [] } }
    expect(await classes.patch('status', written, '/status')).toEqual([])
    expect(await classes.read('status')).toMatchObject({ spec: host, status })
    expect(await classes.patch('status', { status: { phase: 'Pending' } })).toEqual([])
    expect(await classes.read('status')).toHaveProperty('status', status)
  })

  test('has room in its status for the nodes of a large cluster', async () => {
    await classes.create('large', host)
    const availableNodes = Array.from({ length: 5000 }, (_, at) => `worker-${at}.example.com`)
    expect(await classes.patch('large', { status: { availableNodes } }, '/status')).toEqual([])
    availableNodes.push('one-more')
    const [told] = await classes.patch('large', { status: { availableNodes } }, '/status')
    expect(told).toContain('status.availableNodes: Too many')
  })
})

describe.skipIf(!able)('an upgrade of the definition', () => {
  const given = definition(virtualMachineClass)
  const apply = async (crd: unknown) =>
    await cluster.apply(JSON.stringify(crd), '--server-side', '--force-conflicts')

  test('locks nothing that was stored before its rules', async () => {
    const model = { cpu: { type: 'Model' } }
    await apply(loosened(given))
    await vi.waitFor(async () => expect(await classes.objections(model)).toEqual([]), adoption)
    const stored = {
      processor: model,
      overlap: { ...host, sizingPolicies: [cores(1, 10), cores(3, 5)] },
      disorder: { ...host, sizingPolicies: [{ ...cores(5, 4), memory: { min: 'x', step: 0 } }] },
      selector: { ...host, nodeSelector: { matchExpressions: [{ key: '?', operator: 'In' }] } },
      toleration: { ...host, tolerations: [{}] },
    }
    for (const [name, spec] of Object.entries(stored)) await classes.create(name, spec)
    await apply(given)
    await vi.waitFor(async () => expect(await classes.objections(model)).not.toEqual([]), adoption)
    for (const name of Object.keys(stored)) {
      const finalizers = ['virtualization.deckhouse.io/vmclass-cleanup']
      expect(await classes.patch(name, { metadata: { finalizers } }), name).toEqual([])
      expect(await classes.patch(name, { status: { phase: 'Pending' } }, '/status')).toEqual([])
      expect(await classes.patch(name, { metadata: { finalizers: [] } }), name).toEqual([])
    }
    const still = { ...host, sizingPolicies: [cores(1, 10), cores(3, 6)] }
    expect(await classes.patch('overlap', { spec: still })).not.toEqual([])
    expect(await classes.patch('overlap', { spec: { sizingPolicies: null } })).toEqual([])
  })
})
