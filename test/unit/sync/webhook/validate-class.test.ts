import { describe, expect, test } from 'vitest'
import { Outage } from '../../../../src/errors.ts'
import { readPresets } from '../../../../src/sync/presets.ts'
import { validateClass } from '../../../../src/sync/webhook/validate-class.ts'
import { defaultClass, guidePolicies, machineClass } from '../../../support/machine-classes.ts'
import { asked, classesOf, lasting, type Shape, type Written } from './asking.ts'

type Object = ReturnType<typeof machineClass>
const one = { cores: { min: 1, max: 4 } }
const annotation = 'virtualmachineclass.virtualization.deckhouse.io/is-default-class'

async function verdictOn(object: Written, before: Written | null = null, fields: Shape = {}) {
  const { classes } = classesOf([])
  return await validateClass(asked(object, before, fields), classes, lasting())
}

/** What is told of each field. */
async function flawsOf(object: Object, before: Object | null = null) {
  const verdict = await verdictOn(object, before)
  return verdict.outcome === 'denied' ? verdict.causes.map(({ told }) => told) : []
}

const withSpec = (spec: Shape): Object => ({ ...machineClass(), spec: spec as Object['spec'] })

describe('a class', () => {
  test('of the guide is let through', async () => {
    expect(await verdictOn(machineClass(guidePolicies))).toEqual({ outcome: 'allowed' })
    expect(await verdictOn(machineClass())).toEqual({ outcome: 'allowed' })
  })

  test('of those that the companion creates itself is let through', async () => {
    const presets = await readPresets()
    expect(presets).toHaveLength(3)
    for (const preset of presets) {
      expect(await verdictOn(preset)).toEqual({ outcome: 'allowed' })
    }
  })

  test.each<[string, object, string[]]>([
    [
      'overlaps, also containment',
      { sizingPolicies: [{ cores: { min: 1, max: 10 } }, { cores: { min: 3, max: 5 } }] },
      [
        'spec.sizingPolicies[1].cores: VirtualMachineClass "c" has sizing policies whose core ranges overlap: 1-10 and 3-5',
      ],
    ],
    [
      'all the pairs that overlap',
      {
        sizingPolicies: [
          { cores: { min: 1, max: 10 } },
          { cores: { min: 3, max: 5 } },
          { cores: { min: 5, max: 5 } },
        ],
      },
      [
        'spec.sizingPolicies[1].cores: VirtualMachineClass "c" has sizing policies whose core ranges overlap: 1-10 and 3-5',
        'spec.sizingPolicies[2].cores: VirtualMachineClass "c" has sizing policies whose core ranges overlap: 1-10 and 5-5',
        'spec.sizingPolicies[2].cores: VirtualMachineClass "c" has sizing policies whose core ranges overlap: 3-5 and 5-5',
      ],
    ],
    [
      'memory in the wrong order',
      {
        sizingPolicies: [
          { ...one, memory: { min: '2Gi', max: '1.5Gi', perCore: { min: 2, max: 1 } } },
        ],
      },
      [
        'spec.sizingPolicies[0].memory.perCore: The minimum must not be greater than the maximum',
        'spec.sizingPolicies[0].memory: The minimum must not be greater than the maximum',
      ],
    ],
    [
      'cores in the wrong order',
      { sizingPolicies: [{ cores: { min: 5, max: 4 } }] },
      ['spec.sizingPolicies[0].cores: The minimum must not be greater than the maximum'],
    ],
    [
      'a fraction that is no percentage',
      { sizingPolicies: [{ ...one, coreFractions: [0, 101, 50] }] },
      [
        'spec.sizingPolicies[0].coreFractions[0]: must be a whole number from 1 to 100',
        'spec.sizingPolicies[0].coreFractions[1]: must be a whole number from 1 to 100',
      ],
    ],
    [
      'a default fraction that is none of them',
      { sizingPolicies: [{ ...one, coreFractions: [5, 10], defaultCoreFraction: 20 }] },
      ['spec.sizingPolicies[0].defaultCoreFraction: must be one of coreFractions: 5, 10'],
    ],
    [
      'amounts that are none, or nothing',
      { sizingPolicies: [{ ...one, memory: { min: '1e3Mi', max: '0', step: '-1' } }] },
      [
        'spec.sizingPolicies[0].memory.min: must be a quantity such as 512Mi, 1.5Gi or 1e9',
        'spec.sizingPolicies[0].memory.max: must be above 0',
        'spec.sizingPolicies[0].memory.step: must be above 0',
      ],
    ],
    [
      'an amount that CEL cannot tell: more digits than it may have',
      { sizingPolicies: [{ ...one, memory: { min: '1'.repeat(1000) } }] },
      ['spec.sizingPolicies[0].memory.min: must be a quantity such as 512Mi, 1.5Gi or 1e9'],
    ],
    [
      'what the type of CPU does not go with',
      { cpu: { type: 'Host', model: 'Nehalem' } },
      ['spec.cpu: HostPassthrough and Host cannot have model, features or discovery'],
    ],
    [
      'a model that is missing',
      { cpu: { type: 'Model' } },
      ['spec.cpu: Model requires model and cannot have features or discovery'],
    ],
    [
      'features that are missing',
      { cpu: { type: 'Features', discovery: {} } },
      ['spec.cpu: Features requires features and cannot have model or discovery'],
    ],
    [
      'features of a discovery',
      { cpu: { type: 'Discovery', features: ['vmx'] } },
      ['spec.cpu: Discovery cannot have model or features'],
    ],
    [
      'both shapes of a discovery',
      { cpu: { type: 'Discovery', discovery: { matchLabels: { a: 'b' }, nodeSelector: {} } } },
      ['spec.cpu.discovery: discovery takes a label selector, itself or in nodeSelector, not both'],
    ],
    [
      'fields that there are not',
      { sizingPolicys: [], sizingPolicies: [{ ...one, memory: { perCores: {} } }] },
      [
        'spec.sizingPolicies[0].memory.perCores: there is no such field',
        'spec.sizingPolicys: there is no such field',
      ],
    ],
  ])('is refused for %s', async (_what, spec, told) => {
    const object = withSpec({ cpu: { type: 'Host' }, ...spec })
    expect(await flawsOf(object)).toEqual(told)
  })

  test('is refused when its annotation says something else than true', async () => {
    const object = machineClass(undefined, 'c', { [annotation]: 'yes' })
    expect(await verdictOn(object)).toEqual({
      outcome: 'denied',
      causes: [
        {
          code: 'CLASS_INVALID',
          field: `metadata.annotations[${annotation}]`,
          message: 'must be "true"',
          told: `metadata.annotations[${annotation}]: must be "true"`,
        },
      ],
    })
  })
})

describe('a class that changes', () => {
  const broken = [{ cores: { min: 1, max: 4 } }, { cores: { min: 4, max: 8 } }]

  test('is let through in what was wrong before', async () => {
    const before = machineClass(broken, 'c', { [annotation]: 'no' })
    const annotations = { [annotation]: 'no', discovered: '{}' }
    expect(await flawsOf(machineClass(broken, 'c', annotations), before)).toEqual([])
    const tolerant = { ...before, spec: { ...before.spec, tolerations: [{ operator: 'Exists' }] } }
    expect(await flawsOf(tolerant, before)).toEqual([])
  })

  test('is refused in what changes', async () => {
    const [first] = broken
    const before = machineClass([first])
    expect(await flawsOf(machineClass(broken), before)).toEqual([
      'spec.sizingPolicies[1].cores: VirtualMachineClass "c" has sizing policies whose core ranges overlap: 1-4 and 4-8',
    ])
    const annotated = machineClass([first], 'c', { [annotation]: 'false' })
    expect(await flawsOf(annotated, before)).toEqual([
      `metadata.annotations[${annotation}]: must be "true"`,
    ])
  })

  test('is let through on its way out, whatever it is', async () => {
    const leaving = { ...machineClass(broken), metadata: { name: 'c', deletionTimestamp: 'now' } }
    expect(await verdictOn(leaving, machineClass())).toEqual({ outcome: 'allowed' })
  })

  test('is let through when it is only deleted', async () => {
    const verdict = verdictOn(machineClass(), machineClass(), {
      operation: 'DELETE',
      object: null,
    })
    expect(await verdict).toEqual({ outcome: 'allowed' })
  })
})

describe('the default class', () => {
  const isDefault = (name: string) => machineClass(undefined, name, defaultClass)
  const second = (name: string) => {
    const message = `VirtualMachineClass "${name}" is the default already; take the annotation ${annotation} from it first`
    return { code: 'SECOND_DEFAULT', field: 'metadata.annotations', message, told: message }
  }

  test('is the only one', async () => {
    const { classes } = classesOf([isDefault('a'), machineClass(undefined, 'b')])
    const created = await validateClass(asked(isDefault('c')), classes, lasting())
    expect(created).toEqual({ outcome: 'denied', causes: [second('a')] })
    const before = machineClass(undefined, 'b')
    const changed = await validateClass(asked(isDefault('b'), before), classes, lasting())
    expect(changed).toEqual({ outcome: 'denied', causes: [second('a')] })
  })

  test('may be the first one, and may stay it', async () => {
    const { api, classes } = classesOf([machineClass(undefined, 'a')])
    const first = asked(isDefault('a'), machineClass(undefined, 'a'))
    expect(await validateClass(first, classes, lasting())).toEqual({ outcome: 'allowed' })
    expect(api.asked).toHaveLength(1)
    const changed = { ...isDefault('a'), spec: { cpu: { type: 'HostPassthrough' } } }
    const again = asked(changed, isDefault('a'))
    expect(await validateClass(again, classes, lasting())).toEqual({ outcome: 'allowed' })
    expect(api.asked).toHaveLength(1)
  })

  test('is looked for anew, and not among what is watched', async () => {
    const { classes } = classesOf([isDefault('a')], [])
    const verdict = await validateClass(asked(isDefault('b')), classes, lasting())
    expect(verdict).toEqual({ outcome: 'denied', causes: [second('a')] })
  })

  test('is refused together with everything else that is wrong', async () => {
    const { classes } = classesOf([isDefault('a')])
    const wrong = machineClass([{ cores: { min: 2, max: 1 } }], 'b', defaultClass)
    const verdict = await validateClass(asked(wrong), classes, lasting())
    expect(verdict.outcome === 'denied' && verdict.causes.map(({ code }) => code)).toEqual([
      'CLASS_INVALID',
      'SECOND_DEFAULT',
    ])
  })

  test('may be two when both are asked for before one is stored; their statuses tell', async () => {
    const { classes } = classesOf([])
    const both = ['a', 'b'].map((name) => validateClass(asked(isDefault(name)), classes, lasting()))
    expect(await Promise.all(both)).toEqual([{ outcome: 'allowed' }, { outcome: 'allowed' }])
  })

  test('is not decided upon while the API server fails', async () => {
    const { api, classes } = classesOf([])
    const failure = new Outage('CLUSTER_UNAVAILABLE', 'the API server is away')
    api.refuse(/^get/, failure)
    const verdict = validateClass(asked(isDefault('b')), classes, lasting())
    await expect(verdict).rejects.toBe(failure)
  })
})
