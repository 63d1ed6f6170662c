import { describe, expect, test } from 'vitest'
import { Outage } from '../../../../src/errors.ts'
import { validateMachine } from '../../../../src/sync/webhook/validate-machine.ts'
import {
  defaultClass,
  guidePolicies,
  machine,
  machineClass,
} from '../../../support/machine-classes.ts'
import { asked, classesOf, lasting, putClass } from './asking.ts'

const allowed = { outcome: 'allowed' }
const c = machineClass(guidePolicies)
type Verdict = Awaited<ReturnType<typeof validateMachine>>
const causesOf = (verdict: Verdict) => (verdict.outcome === 'denied' ? verdict.causes : [])
const told = (verdict: Verdict) => causesOf(verdict).map((cause) => cause.told)

async function verdictOn(
  args: Parameters<typeof asked>,
  stored: Parameters<typeof classesOf> = [[c], []],
) {
  return await validateMachine(asked(...args), classesOf(...stored).classes, lasting())
}

describe('a machine', () => {
  test('that fits its class is let through', async () => {
    expect(await verdictOn([machine({ cores: 2 }, '2Gi', 'c')])).toEqual(allowed)
  })

  test('that does not fit is told every reason', async () => {
    const cpu = { cores: 6, coreFraction: '30%', dedicatedCores: true }
    expect(await verdictOn([machine(cpu, '18Gi', 'c')])).toEqual({
      outcome: 'denied',
      causes: [
        {
          code: 'CORE_FRACTION_NOT_ALLOWED',
          field: 'spec.cpu.coreFraction',
          message:
            'the CPU core fraction "30%" is not allowed; set the core fraction (spec.cpu.coreFraction) to one of: 20%, 50%, 100%',
        },
        {
          code: 'DEDICATED_CORES_NOT_ALLOWED',
          field: 'spec.cpu.dedicatedCores',
          message:
            'dedicated CPU cores are not allowed by the sizing policy; set spec.cpu.dedicatedCores to false',
        },
        {
          code: 'MEMORY_OUT_OF_RANGE',
          field: 'spec.memory.size',
          message:
            'the memory size (18Gi) is out of the range allowed by the sizing policy; set the memory size (spec.memory.size) between 5Gi and 16Gi',
        },
      ].map(({ code, field, message }) => ({ code, field, message, told: message })),
    })
  })

  test('that cannot be read is told its fields', async () => {
    const odd = machine({ cores: 1.5, coreFraction: '200%' }, 'much', 'c')
    const verdict = await verdictOn([odd])
    expect(told(verdict)).toEqual([
      'spec.cpu.cores: must be a whole number',
      'spec.cpu.coreFraction: must be a percentage from "1%" to "100%", or a number from 1 to 100',
      'spec.memory.size: must be a quantity such as 512Mi, 1.5Gi or 1e9',
    ])
    expect(causesOf(verdict)[0]).toMatchObject({
      code: 'MACHINE_UNREADABLE',
      field: 'spec.cpu.cores',
      message: 'must be a whole number',
    })
  })

  test('whose class is no name, or that has no spec, is refused', async () => {
    const odd = { ...machine({ cores: 1 }), spec: { virtualMachineClassName: 7 } as never }
    expect(told(await verdictOn([odd]))).toEqual([
      'spec.virtualMachineClassName: Invalid input: expected string, received number',
    ])
    expect(told(await verdictOn([{ kind: 'VirtualMachine' }]))).toEqual([
      'spec: Invalid input: expected object, received undefined',
    ])
  })

  test.each([[undefined], [[]]])(
    'is let through by a class with the policies %j, read or not',
    async (policies) => {
      const stored = [machineClass(policies)]
      const odd = machine({ cores: 'many' }, 'much', 'c')
      expect(await verdictOn([odd], [stored])).toEqual(allowed)
    },
  )

  test('is refused by a class that nobody can read', async () => {
    const stored = [machineClass([{ cores: { min: 4, max: 1 } }])]
    const message =
      'VirtualMachineClass "c" cannot be read, and its administrator has to mend it: spec.sizingPolicies[0].cores: The minimum must not be greater than the maximum'
    expect(await verdictOn([machine({ cores: 1 }, '1Gi', 'c')], [stored])).toEqual({
      outcome: 'denied',
      causes: [
        {
          code: 'CLASS_UNREADABLE',
          field: 'spec.virtualMachineClassName',
          message,
          told: message,
        },
      ],
    })
  })
})

describe('a machine whose class is missing', () => {
  const ofMissing = [machine({ cores: 1 }, '1Gi', 'x')] as const

  test('is told which there are, as they are watched', async () => {
    const { api, classes } = classesOf([], ['b', 'a', 'x'])
    const verdict = await validateMachine(asked(...ofMissing), classes, lasting())
    expect(told(verdict)).toEqual([
      'there is no VirtualMachineClass "x"; set the class (spec.virtualMachineClassName) to one of: a, b',
    ])
    expect(causesOf(verdict)[0]?.code).toBe('CLASS_NOT_FOUND')
    expect(api.asked).toHaveLength(1)
  })

  test('is told which there are, as they are listed where none are known yet', async () => {
    const verdict = await verdictOn([...ofMissing], [[c]])
    expect(told(verdict)).toEqual([
      'there is no VirtualMachineClass "x"; set the class (spec.virtualMachineClassName) to one of: c',
    ])
  })

  test('is told that there are none', async () => {
    expect(told(await verdictOn([...ofMissing], [[]]))).toEqual([
      'there is no VirtualMachineClass "x"; there are no classes yet: create one, and set it in spec.virtualMachineClassName',
    ])
  })

  test('is let through as soon as it is there, whatever is watched yet', async () => {
    const { api, classes } = classesOf([], [])
    const review = asked(machine({ cores: 1 }, '1Gi', 'c'))
    expect(await validateMachine(review, classes, lasting())).toMatchObject({ outcome: 'denied' })
    putClass(api, c)
    expect(await validateMachine(review, classes, lasting())).toEqual(allowed)
  })

  test.each(['../virtualmachineclasses/c', 'c?x', 'C', '..', 'c/status', 'c'.repeat(254)])(
    'is not looked for as %j, which is no name',
    async (name) => {
      const { api, classes } = classesOf([c], ['c'])
      const review = asked(machine({ cores: 1 }, '1Gi', name))
      expect(await validateMachine(review, classes, lasting())).toMatchObject({ outcome: 'denied' })
      expect(api.asked).toEqual([])
    },
  )
})

describe('a class on its way out', () => {
  const { metadata, ...rest } = machineClass(guidePolicies, 'old', defaultClass)
  const old = { ...rest, metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }
  const small = machine({ cores: 1 }, '1Gi', 'old')
  const large = machine({ cores: 1 }, '2Gi', 'old')
  const message =
    'VirtualMachineClass "old" is on its way out, and takes no more machines; set the class (spec.virtualMachineClassName) to one of: c'

  test('takes no machine that has not named it before', async () => {
    expect(told(await verdictOn([small], [[c, old]]))).toEqual([message])
    const changed = [small, machine({ cores: 1 }, '1Gi', 'c')] as const
    expect(told(await verdictOn([...changed], [[c, old]]))).toEqual([message])
  })

  test('takes changes of those that have', async () => {
    const changed = [large, small] as const
    expect(await verdictOn([...changed], [[c, old]])).toEqual(allowed)
  })

  test('is no default, and not named to choose from', async () => {
    expect(told(await verdictOn([machine({ cores: 1 }, '1Gi')], [[c, old]]))).toEqual([
      'no VirtualMachineClass is named, and none is the default; set the class (spec.virtualMachineClassName) to one of: c',
    ])
  })
})

describe('a machine that names no class', () => {
  const ofNone = [machine({ cores: 9 }, '1Gi')] as const
  const isDefault = (name: string) =>
    machineClass([{ cores: { min: 1, max: 4 } }], name, defaultClass)

  test('is held against the default one', async () => {
    expect(told(await verdictOn([...ofNone], [[c, isDefault('d')]]))).toEqual([
      'does not match any sizing policy of VirtualMachineClass "d": its 9 CPU core(s) fall outside the allowed ranges (1-4); set the number of cores (spec.cpu.cores) accordingly',
    ])
  })

  test('is refused without a default, and with several', async () => {
    expect(told(await verdictOn([...ofNone], [[c]]))).toEqual([
      'no VirtualMachineClass is named, and none is the default; set the class (spec.virtualMachineClassName) to one of: c',
    ])
    expect(told(await verdictOn([...ofNone], [[isDefault('b'), isDefault('a')]]))).toEqual([
      'no VirtualMachineClass is named, and more than one is the default; set the class (spec.virtualMachineClassName) to one of: a, b',
    ])
  })
})

describe('a machine that changes', () => {
  const wrong = machine({ cores: 3, coreFraction: 30 }, '1Gi', 'c')
  const changed = (spec: object) => ({ ...wrong, spec: { ...wrong.spec, ...spec } })

  test.each<[string, object]>([
    ['its class', { virtualMachineClassName: 'x' }],
    ['its cores', { cpu: { cores: 4, coreFraction: 30 } }],
    ['its fraction', { cpu: { cores: 3, coreFraction: 31 } }],
    ['its memory', { memory: { size: '2Gi' } }],
  ])('is judged by %s', async (_what, spec) => {
    expect(await verdictOn([changed(spec), wrong])).toMatchObject({ outcome: 'denied' })
  })

  test('is let through with everything else, whatever its class says by now', async () => {
    const { api, classes } = classesOf([c])
    const review = asked(changed({ runPolicy: 'Manual', memory: { size: '1Gi', other: 1 } }), wrong)
    expect(await validateMachine(review, classes, lasting())).toEqual(allowed)
    expect(api.asked).toEqual([])
  })

  test('is judged when it is nested too deeply to be compared', async () => {
    const levels = 100_000
    const text = `{"cores":1,"x":${'['.repeat(levels)}${']'.repeat(levels)}}`
    const deep = (size: string) => changed({ cpu: JSON.parse(text), memory: { size } })
    const args = [deep('9Gi'), deep('9Gi')] as const
    expect(await verdictOn([...args])).toMatchObject({ outcome: 'denied' })
  })

  test('is let through on its way out', async () => {
    const leaving = {
      ...changed({ cpu: { cores: 2000 } }),
      metadata: { name: 'linux-vm', deletionTimestamp: 'now' },
    }
    expect(await verdictOn([leaving, wrong])).toEqual(allowed)
  })
})

test.each<[string, string | undefined, readonly string[] | null]>([
  ['reads the class', 'c', []],
  ['lists the classes', undefined, []],
  ['names them', 'X', null],
])('a machine is not decided upon while the API server fails: it %s', async (_, name, synced) => {
  const { api, classes } = classesOf([c], synced)
  const failure = new Outage('CLUSTER_UNAVAILABLE', 'the API server is away')
  api.refuse(/^get/, failure)
  const verdict = validateMachine(asked(machine({ cores: 1 }, '1Gi', name)), classes, lasting())
  await expect(verdict).rejects.toBe(failure)
})
