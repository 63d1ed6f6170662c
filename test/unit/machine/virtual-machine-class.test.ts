import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { chooseClass } from '../../../src/machine/choose-class.ts'
import { virtualMachineClassSchema } from '../../../src/machine/virtual-machine-class.ts'
import { virtualMachineSchema } from '../../../src/machine/virtual-machine.ts'
import {
  defaultClass,
  guidePolicies,
  machine,
  machineClass,
} from '../../support/machine-classes.ts'

const problemsOf = (schema: z.ZodType, value: unknown) =>
  schema
    .safeParse(value)
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []

const problems = (sizingPolicies: unknown, name?: string) =>
  problemsOf(virtualMachineClassSchema, machineClass(sizingPolicies, name))

const cores = (min: number, max: number) => ({ cores: { min, max } })
const withMemory = (memory: object) => [{ ...cores(1, 4), memory }]

const order = 'The minimum must not be greater than the maximum'
const quantity = 'must be a quantity such as 512Mi, 1.5Gi or 1e9'
const from1to1024 = 'must be a whole number from 1 to 1024'
const from1to100 = 'must be a whole number from 1 to 100'

describe('the sizing policies of a class', () => {
  test.each([
    ['of the guide', guidePolicies],
    ['that are none', undefined],
    ['that are empty', []],
    ['of one number of cores', [cores(1, 1)]],
    ['at both ends', [cores(1, 1023), cores(1024, 1024)]],
    ['with a default without a list', [{ ...cores(1, 4), defaultCoreFraction: 50 }]],
    ['with a number for a size', withMemory({ min: 1_073_741_824 })],
    ['with one size', withMemory({ min: '1Gi', max: '1024Mi' })],
    ['sixteen', Array.from({ length: 16 }, (_, at) => cores(at + 1, at + 1))],
  ])('%s are taken', (_, policies) => {
    expect(problems(policies)).toEqual([])
  })

  test.each([
    ['a placeholder', { '...': null }, ['spec.sizingPolicies: must be a list']],
    ['null', null, ['spec.sizingPolicies: must be a list']],
    [
      'seventeen',
      Array.from({ length: 17 }, (_, at) => cores(at + 1, at + 1)),
      ['spec.sizingPolicies: must have at most 16 items'],
    ],
    ['cores of 0', [cores(0, 4)], [`spec.sizingPolicies.0.cores.min: ${from1to1024}`]],
    ['cores above 1024', [cores(1, 1025)], [`spec.sizingPolicies.0.cores.max: ${from1to1024}`]],
    ['half a core', [cores(1.5, 4)], [`spec.sizingPolicies.0.cores.min: ${from1to1024}`]],
    ['cores out of order', [cores(5, 4)], [`spec.sizingPolicies.0.cores: ${order}`]],
    [
      'a step of 0',
      [{ cores: { min: 1, max: 4, step: 0 } }],
      ['spec.sizingPolicies.0.cores.step: must be 1 or more'],
    ],
    [
      'a step below 0',
      [{ cores: { min: 1, max: 4, step: -1 } }],
      ['spec.sizingPolicies.0.cores.step: must be 1 or more'],
    ],
    [
      'half a step',
      [{ cores: { min: 1, max: 4, step: 1.5 } }],
      ['spec.sizingPolicies.0.cores.step: must be a whole number'],
    ],
    [
      'memory out of order',
      withMemory({ min: '1.5Gi', max: '1Gi' }),
      [`spec.sizingPolicies.0.memory: ${order}`],
    ],
    [
      'memory for each core out of order',
      withMemory({ perCore: { min: '1025', max: '1Ki' } }),
      [`spec.sizingPolicies.0.memory.perCore: ${order}`],
    ],
    [
      'memory of 0 and below',
      withMemory({ min: '0', max: '-1Gi', step: '-1', perCore: { min: '0Gi', max: '-0.5' } }),
      [
        'spec.sizingPolicies.0.memory.min: must be above 0',
        'spec.sizingPolicies.0.memory.max: must be above 0',
        'spec.sizingPolicies.0.memory.step: must be above 0',
        'spec.sizingPolicies.0.memory.perCore.min: must be above 0',
        'spec.sizingPolicies.0.memory.perCore.max: must be above 0',
        `spec.sizingPolicies.0.memory.perCore: ${order}`,
        `spec.sizingPolicies.0.memory: ${order}`,
      ],
    ],
    [
      'a step of memory of 0',
      withMemory({ step: '0' }),
      ['spec.sizingPolicies.0.memory.step: must be above 0'],
    ],
    [
      'no quantities',
      withMemory({ min: '1e3Mi', max: '9'.repeat(1000), step: 'x' }),
      ['min', 'max', 'step'].map((field) => `spec.sizingPolicies.0.memory.${field}: ${quantity}`),
    ],
    [
      'no booleans',
      [{ ...cores(1, 4), dedicatedCores: ['false'] }],
      ['spec.sizingPolicies.0.dedicatedCores.0: must be true or false'],
    ],
    [
      'fractions that are none',
      [{ ...cores(1, 4), coreFractions: [0, 50, 101, '5%'] }],
      [0, 2, 3].map((at) => `spec.sizingPolicies.0.coreFractions.${at}: ${from1to100}`),
    ],
    [
      'a default that is not in the list',
      [{ ...cores(1, 4), coreFractions: [5, 10], defaultCoreFraction: 20 }],
      ['spec.sizingPolicies.0.defaultCoreFraction: must be one of coreFractions: 5, 10'],
    ],
    [
      'endless lists',
      [{ ...cores(1, 4), coreFractions: Array.from({ length: 100_000 }, () => 'x') }],
      ['spec.sizingPolicies.0.coreFractions: must have at most 100 items'],
    ],
  ])('are refused with %s', (_, policies, told) => {
    expect(problems(policies)).toEqual(told)
  })

  test('are refused with fields that there are not, which would limit nothing', () => {
    const read = (value: unknown) =>
      virtualMachineClassSchema
        .safeParse(value)
        .error?.issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []))
    expect(read(machineClass([{ ...cores(1, 4), coreFraction: [5] }]))).toEqual(['coreFraction'])
    expect(read(machineClass(withMemory({ minimum: '1Gi' })))).toEqual(['minimum'])
    const { spec, ...others } = machineClass()
    expect(read({ ...others, spec: { ...spec, sizingPolicy: [] } })).toEqual(['sizingPolicy'])
  })

  test.each([
    ['one within the other', [cores(1, 10), cores(3, 5)], ['1.cores 1-10 and 3-5']],
    ['the outer one behind', [cores(3, 5), cores(1, 10)], ['1.cores 3-5 and 1-10']],
    ['the same twice', [cores(1, 4), cores(1, 4)], ['1.cores 1-4 and 1-4']],
    ['one core in both', [cores(1, 4), cores(4, 8)], ['1.cores 1-4 and 4-8']],
    ['one core in both, turned', [cores(4, 8), cores(1, 4)], ['1.cores 4-8 and 1-4']],
    [
      'all of three',
      [cores(1, 10), cores(3, 5), cores(5, 20)],
      ['1.cores 1-10 and 3-5', '2.cores 1-10 and 5-20', '2.cores 3-5 and 5-20'],
    ],
  ])('must not overlap: %s', (_, policies, pairs) => {
    expect(problems(policies, 'x')).toEqual(
      pairs.map((pair) => {
        const [where, ...ranges] = pair.split(' ')
        return `spec.sizingPolicies.${where}: VirtualMachineClass "x" has sizing policies whose core ranges overlap: ${ranges.join(' ')}`
      }),
    )
  })

  test('must not overlap, whatever else is wrong', () => {
    const policies = [{ ...cores(1, 10), memory: { step: '0' } }, cores(3, 5)]
    const [name = ''] = Object.keys(defaultClass)
    const value = machineClass(policies, 'x', { [name]: 'yes' })
    expect(problemsOf(virtualMachineClassSchema, value)).toEqual([
      `metadata.annotations.${name}: must be "true"`,
      'spec.sizingPolicies.0.memory.step: must be above 0',
      'spec.sizingPolicies.1.cores: VirtualMachineClass "x" has sizing policies whose core ranges overlap: 1-10 and 3-5',
    ])
  })
})

describe('a machine', () => {
  const wrong = (cpu: object, size?: unknown) =>
    problemsOf(virtualMachineSchema, machine(cpu, size))
  const percentage = 'must be a percentage from "1%" to "100%", or a number from 1 to 100'

  test('may ask for what no class allows', () => {
    expect(wrong({ cores: 0 }, '0')).toEqual([])
    expect(wrong({ cores: -1, coreFraction: '1%' }, '-1Gi')).toEqual([])
  })

  test.each([1.5, '0%', '101%', '10', '010%', '10 %', '1.5%', '%', null, true])(
    'has no fraction of %j',
    (coreFraction) => {
      expect(wrong({ cores: 1, coreFraction })).toEqual([`spec.cpu.coreFraction: ${percentage}`])
    },
  )

  test.each([0, 101, -5])('has no fraction of %j, which is a number', (coreFraction) => {
    expect(wrong({ cores: 1, coreFraction })).toEqual([`spec.cpu.coreFraction: ${from1to100}`])
  })

  test('says what is wrong with its form', () => {
    expect(wrong({ cores: 1.5 }, '1e3Mi')).toEqual([
      'spec.cpu.cores: must be a whole number',
      `spec.memory.size: ${quantity}`,
    ])
    expect(wrong({ cores: 1, dedicatedCores: 'yes' })).toEqual([
      'spec.cpu.dedicatedCores: must be true or false',
    ])
    expect(wrong({}, null)).toEqual([
      'spec.cpu.cores: must be a whole number',
      `spec.memory.size: ${quantity}`,
    ])
  })
})

describe('the class of a machine', () => {
  const named = (...names: string[]) =>
    names.map((name) => virtualMachineClassSchema.parse(machineClass([], name)))
  const usual = (name: string) =>
    virtualMachineClassSchema.parse(machineClass([], name, defaultClass))
  const chosen = (classes: Parameters<typeof chooseClass>[0], name?: string) => {
    const machineOf = virtualMachineSchema.parse(machine({ cores: 1 }, '1Gi', name))
    const found = chooseClass(classes, machineOf)
    return 'code' in found ? found.message : found.metadata.name
  }
  const set = 'set the class (spec.virtualMachineClassName) to one of:'

  test('is the one that it names', () => {
    expect(chosen(named('cpuX', 'cpuY'), 'cpuY')).toBe('cpuY')
    expect(chosen([...named('cpuX'), usual('universal')], 'cpuX')).toBe('cpuX')
  })

  test('is the default one when it names none', () => {
    expect(chosen([...named('cpuX'), usual('universal')])).toBe('universal')
    expect(chosen([...named('cpuX'), usual('universal')], '')).toBe('universal')
  })

  test('is missed with the list of those that there are', () => {
    expect(chosen(named('cpuY', 'cpuX'), 'cpuZ')).toBe(
      `there is no VirtualMachineClass "cpuZ"; ${set} cpuX, cpuY`,
    )
    expect(chosen(named('cpuY', 'cpuX'))).toBe(
      `no VirtualMachineClass is named, and none is the default; ${set} cpuX, cpuY`,
    )
    expect(chosen([usual('a'), usual('b')])).toBe(
      `no VirtualMachineClass is named, and more than one is the default; ${set} a, b`,
    )
    expect(chosen(named('a', 'a', 'b'), 'a')).toBe(
      `there is more than one VirtualMachineClass "a"; ${set} a, a, b`,
    )
  })

  test('is missed where there is none to take instead', () => {
    expect(chosen([], 'cpuX')).toBe(
      'there is no VirtualMachineClass "cpuX"; there are no classes yet: create one, and set it in spec.virtualMachineClassName',
    )
    expect(chosen([])).toContain('none is the default; there are no classes yet')
  })

  test('is the default one by "true" and nothing else', () => {
    const [annotation = ''] = Object.keys(defaultClass)
    for (const value of ['false', '', 'True', true]) {
      const wrong = machineClass([], 'x', { [annotation]: value })
      expect(problemsOf(virtualMachineClassSchema, wrong)).toEqual([
        `metadata.annotations.${annotation}: must be "true"`,
      ])
    }
    expect(problemsOf(virtualMachineClassSchema, machineClass([], 'x', { other: '1' }))).toEqual([])
  })
})
