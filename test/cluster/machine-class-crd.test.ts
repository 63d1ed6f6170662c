import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Api } from '../support/cluster/api.ts'
import { needsCluster } from '../support/cluster/binaries.ts'
import { ClassApi } from '../support/cluster/class-api.ts'
import { startCluster } from '../support/cluster/cluster.ts'
import { guidePolicies } from '../support/machine-classes.ts'

const able = needsCluster()
const held = new AsyncDisposableStack()
let classes: ClassApi

beforeAll(async () => {
  if (!able) return
  const cluster = held.use(await startCluster())
  await cluster.applyCrds()
  classes = new ClassApi(held.use(await Api.open(cluster)))
})
afterAll(() => held.disposeAsync())

const a = (length: number) => 'a'.repeat(length)
const host = { type: 'Host' }
const green = { matchExpressions: [{ key: 'group', operator: 'In', values: ['green'] }] }
const worker = { matchLabels: { group: 'worker' } }
const cores = (min: number, max: number) => ({ cores: { min, max } })
const withPolicies = (...sizingPolicies: object[]) => ({ cpu: host, sizingPolicies })
const withMemory = (memory: object) => withPolicies({ ...cores(1, 4), memory })
const withExpression = (expression: object) => ({
  cpu: host,
  nodeSelector: { matchExpressions: [{ key: 'group', ...expression }] },
})
const tolerating = (...tolerations: object[]) => ({ cpu: host, tolerations })
const each = <Item>(count: number, make: (index: number) => Item) =>
  Array.from({ length: count }, (_, index) => make(index))

const onHost = 'HostPassthrough and Host cannot have model, features or discovery'
const onDiscovery = 'Discovery cannot have model or features'
const onModel = 'Model requires model and cannot have features or discovery'
const onFeatures = 'Features requires features and cannot have model or discovery'
const onShapes = 'discovery takes a label selector, itself or in nodeSelector, not both'
const onOrder = 'The minimum must not be greater than the maximum'
const onOverlap = (pair: string) =>
  `VirtualMachineClass "cpu-x" has sizing policies whose core ranges overlap: ${pair}`
const onNumber = 'Gt and Lt need one value, a whole number of at most 18 digits'
const atPolicy = 'spec.sizingPolicies[0]'

describe.skipIf(!able)('the definition of VirtualMachineClass', () => {
  const features = ['vmx']
  const model = 'IvyBridge'
  const discovery = {}

  test.each([
    [onHost, { type: 'Host', model }],
    [onHost, { type: 'Host', features }],
    [onHost, { type: 'Host', discovery }],
    [onHost, { type: 'HostPassthrough', model }],
    [onHost, { type: 'HostPassthrough', features }],
    [onHost, { type: 'HostPassthrough', discovery }],
    [onDiscovery, { type: 'Discovery', model }],
    [onDiscovery, { type: 'Discovery', discovery, features }],
    [onModel, { type: 'Model' }],
    [onModel, { type: 'Model', model, features }],
    [onModel, { type: 'Model', model, discovery }],
    [onFeatures, { type: 'Features' }],
    [onFeatures, { type: 'Features', features, model }],
    [onFeatures, { type: 'Features', features, discovery }],
  ])('says %j of the processor %j', async (message, cpu) => {
    expect(await classes.objections({ cpu })).toEqual([`spec.cpu: ${message}`])
  })

  test('takes one shape of discovery and not both', async () => {
    const both = [
      { ...green, nodeSelector: worker },
      { ...worker, nodeSelector: {} },
    ]
    for (const discovery of both) {
      const told = await classes.objections({ cpu: { type: 'Discovery', discovery } })
      expect(told).toEqual([`spec.cpu.discovery: ${onShapes}`])
    }
  })

  test.each([
    ['cores out of order', withPolicies(cores(5, 4)), `${atPolicy}.cores: ${onOrder}`],
    [
      'memory out of order',
      withMemory({ min: '1.5Gi', max: '1Gi' }),
      `${atPolicy}.memory: ${onOrder}`,
    ],
    [
      'memory as a number out of order',
      withMemory({ min: 1025, max: '1Ki' }),
      `${atPolicy}.memory: ${onOrder}`,
    ],
    [
      'memory for each core out of order',
      withMemory({ perCore: { min: '1025', max: '1Ki' } }),
      `${atPolicy}.memory.perCore: ${onOrder}`,
    ],
    ['a minimum of 0', withMemory({ min: '0' }), `${atPolicy}.memory.min: must be above 0`],
    ['a maximum below 0', withMemory({ max: -1 }), `${atPolicy}.memory.max: must be above 0`],
    ['a step of 0', withMemory({ step: '0Gi' }), `${atPolicy}.memory.step: must be above 0`],
    [
      'a step of 0 as a number',
      withMemory({ step: 0 }),
      `${atPolicy}.memory.step: must be above 0`,
    ],
    ['a step below 0', withMemory({ step: '-1' }), `${atPolicy}.memory.step: must be above 0`],
    [
      'a minimum for each core of 0',
      withMemory({ perCore: { min: '0' } }),
      `${atPolicy}.memory.perCore.min: must be above 0`,
    ],
    [
      'a maximum for each core below 0',
      withMemory({ perCore: { max: '-0.5' } }),
      `${atPolicy}.memory.perCore.max: must be above 0`,
    ],
    [
      'a default that is not in the list',
      withPolicies({ ...cores(1, 4), coreFractions: [5, 10], defaultCoreFraction: 20 }),
      `${atPolicy}.defaultCoreFraction: must be one of coreFractions: [5, 10]`,
    ],
    [
      'no values to be one of',
      withExpression({ operator: 'In' }),
      'spec.nodeSelector.matchExpressions[0].values: In and NotIn need at least one of values',
    ],
    [
      'no values to be none of',
      withExpression({ operator: 'NotIn', values: [] }),
      'spec.nodeSelector.matchExpressions[0].values: In and NotIn need at least one of values',
    ],
    [
      'values beside Exists',
      withExpression({ operator: 'Exists', values: ['x'] }),
      'spec.nodeSelector.matchExpressions[0].values: Exists and DoesNotExist cannot have values',
    ],
    [
      'two numbers',
      withExpression({ operator: 'Gt', values: ['1', '2'] }),
      `spec.nodeSelector.matchExpressions[0].values: ${onNumber}`,
    ],
    [
      'no number',
      withExpression({ operator: 'Lt', values: ['x'] }),
      `spec.nodeSelector.matchExpressions[0].values: ${onNumber}`,
    ],
    [
      'a toleration of nothing',
      tolerating({ effect: 'NoSchedule' }),
      'spec.tolerations[0].operator: operator must be Exists when key is empty',
    ],
    [
      'a value that has to exist',
      tolerating({ key: 'x', operator: 'Exists', value: 'y' }),
      'spec.tolerations[0].value: value must be empty when operator is Exists',
    ],
    [
      'seconds without NoExecute',
      tolerating({ key: 'x', effect: 'NoSchedule', tolerationSeconds: 60 }),
      'spec.tolerations[0].effect: effect must be NoExecute when tolerationSeconds is set',
    ],
  ])('refuses %s, with this message', async (_, spec, message) => {
    expect(await classes.objections(spec)).toEqual([message])
  })

  test.each([
    ['one within the other', [cores(1, 10), cores(3, 5)], '1-10 and 3-5'],
    ['the outer one behind', [cores(3, 5), cores(1, 10)], '3-5 and 1-10'],
    ['the same twice', [cores(1, 4), cores(1, 4)], '1-4 and 1-4'],
    ['one core in both', [cores(1, 4), cores(4, 8)], '1-4 and 4-8'],
    ['one core in both, turned', [cores(4, 8), cores(1, 4)], '4-8 and 1-4'],
    ['the last two', [cores(1, 4), cores(9, 12), cores(10, 11)], '9-12 and 10-11'],
    [
      'the last two of sixteen',
      [...each(15, (at) => cores(at + 1, at + 1)), cores(15, 1024)],
      '15-15 and 15-1024',
    ],
  ])('refuses ranges of cores that overlap: %s', async (_, policies, pair) => {
    const told = await classes.objections(withPolicies(...policies), 'cpu-x')
    expect(told).toEqual([`spec.sizingPolicies: ${onOverlap(pair)}`])
  })

  test.each([
    ['cores of 0', withPolicies(cores(0, 4)), 'cores.min in body should be greater than or equal'],
    ['cores above 1024', withPolicies(cores(1, 1025)), 'cores.max in body should be less than or'],
    ['a step of 0', withPolicies({ cores: { min: 1, max: 4, step: 0 } }), 'cores.step in body'],
    ['no cores', withPolicies({}), 'Required value'],
    ['seventeen policies', withPolicies(...each(17, (at) => cores(at + 1, at + 1))), 'Too many'],
    ['a fraction of 0', withPolicies({ ...cores(1, 4), coreFractions: [0] }), 'should be greater'],
    ['a fraction of 101', withPolicies({ ...cores(1, 4), coreFractions: [101] }), 'should be less'],
    ['no boolean', withPolicies({ ...cores(1, 4), dedicatedCores: ['x'] }), 'must be of type bool'],
    ['an exponent and a unit', withMemory({ min: '1e3Mi' }), 'should match'],
    ['no quantity', withMemory({ min: 'much' }), 'should match'],
    ['a long quantity', withMemory({ min: '9'.repeat(65) }), 'may not be more than 64'],
    ['no processor', {}, 'Required value'],
    ['a processor that is none', { cpu: { type: 'Quantum' } }, 'supported values: "Host", '],
    ['an empty model', { cpu: { type: 'Model', model: '' } }, 'should be at least 1 chars long'],
    ['no features', { cpu: { type: 'Features', features: [] } }, 'should have at least 1 items'],
    ['another operator', withExpression({ operator: 'Is' }), 'supported values: "In", "NotIn"'],
    ['no value of a label', withExpression({ operator: 'In', values: ['a b'] }), 'should match'],
    [
      'a key that is too long',
      withExpression({ key: a(318), operator: 'Exists' }),
      'more than 317',
    ],
    ['many tolerations', tolerating(...each(65, () => ({ operator: 'Exists' }))), 'Too many'],
  ])('refuses %s', async (_, spec, message) => {
    const told = await classes.objections(spec)
    expect(told.join('\n')).toContain(message)
  })

  test.each([
    ['policies of the guide', { cpu: host, sizingPolicies: guidePolicies }],
    ['no policies', { cpu: host, sizingPolicies: [] }],
    ['one number of cores', withPolicies(cores(1, 1), cores(1024, 1024))],
    ['sixteen policies', withPolicies(...each(16, (at) => cores(at + 1, at + 1)))],
    ['a number for a size', withMemory({ min: 1_073_741_824, max: 1_073_741_824, step: 1 })],
    ['a size by its exponent', withMemory({ min: '1e9', max: '1.5Gi', step: '1000m' })],
    ['one size', withMemory({ min: '1Gi', max: '1024Mi' })],
    ['a size beyond what is counted', withMemory({ min: '1', max: '16Ei', step: '1' })],
    ['a default without a list', withPolicies({ ...cores(1, 4), defaultCoreFraction: 50 })],
    [
      'a default of a list',
      withPolicies({ ...cores(1, 4), coreFractions: [5], defaultCoreFraction: 5 }),
    ],
    ['many features', { cpu: { type: 'Features', features: each(1024, (at) => `f${at}`) } }],
    ['discovery alone', { cpu: { type: 'Discovery' } }],
    [
      'every operator',
      {
        cpu: host,
        nodeSelector: {
          matchExpressions: [
            { key: 'example.com/a', operator: 'In', values: ['x', ''] },
            { key: 'a', operator: 'NotIn', values: ['x'] },
            { key: 'a', operator: 'Exists' },
            { key: 'a', operator: 'DoesNotExist', values: [] },
            { key: 'a', operator: 'Gt', values: ['7'] },
            { key: 'a', operator: 'Lt', values: ['123456789012345678'] },
          ],
        },
      },
    ],
    [
      'every toleration',
      tolerating(
        { operator: 'Exists' },
        { key: '', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: -1 },
        { key: 'x', value: 'y' },
        { key: 'example.com/x', operator: 'Equal', value: '', effect: 'PreferNoSchedule' },
      ),
    ],
  ])('takes %s', async (_, spec) => {
    expect(await classes.objections(spec)).toEqual([])
  })
})
