import { describe, expect, test } from 'vitest'
import { evaluate } from '../../../src/machine/evaluate.ts'
import { virtualMachineClassSchema } from '../../../src/machine/virtual-machine-class.ts'
import { virtualMachineSchema } from '../../../src/machine/virtual-machine.ts'
import { guidePolicies, machine, machineClass } from '../../support/machine-classes.ts'

type Cpu = {
  readonly cores: number
  readonly coreFraction?: number | string
  readonly dedicatedCores?: boolean
}
type Row = readonly [cpu: Cpu | number, size: unknown, ...messages: string[]]

const outside = (cores: number, ranges: string) =>
  `does not match any sizing policy of VirtualMachineClass "c": its ${cores} CPU core(s) fall outside the allowed ranges (${ranges}); set the number of cores (spec.cpu.cores) accordingly`
const coreStep = (cores: number, to: string) =>
  `the number of CPU cores (${cores}) does not match the sizing policy step; set the number of cores (spec.cpu.cores) to ${to}`
const fraction = (asked: string, allowed: string) =>
  `the CPU core fraction "${asked}" is not allowed; set the core fraction (spec.cpu.coreFraction) to one of: ${allowed}`
const notDedicated =
  'dedicated CPU cores are not allowed by the sizing policy; set spec.cpu.dedicatedCores to false'
const onlyDedicated =
  'dedicated CPU cores are required by the sizing policy; set spec.cpu.dedicatedCores to true'
const memory = (size: string, allowed: string) =>
  `the memory size (${size}) is out of the range allowed by the sizing policy; set the memory size (spec.memory.size) ${allowed}`
const memoryStep = (size: string, to: string) =>
  `the memory size (${size}) does not match the sizing policy step; set the memory size (spec.memory.size) to ${to}`
const perCore = (size: string, cores: number, all: string, each: string) =>
  `the memory size (${size}) is not allowed for ${cores} CPU core(s); set the memory size (spec.memory.size) ${all}, or change the number of cores (spec.cpu.cores) (the sizing policy allows ${each} of memory per core)`

const messagesOf = (policies: unknown, cpu: Cpu | number, size: unknown) => {
  const asked = typeof cpu === 'number' ? { cores: cpu } : cpu
  const found = evaluate(
    virtualMachineClassSchema.parse(machineClass(policies)),
    virtualMachineSchema.parse(machine(asked, size)),
  )
  return found.map(({ message }) => message)
}

const tables: { readonly [title: string]: readonly [policies: unknown, rows: readonly Row[]] } = {
  'without policies': [
    undefined,
    [
      [1, '1'],
      [0, '1Gi'],
      [-1, '1Gi'],
      [5000, '16Ei'],
      [{ cores: 1, coreFraction: '3%', dedicatedCores: true }, '1m'],
    ],
  ],
  'with an empty list of policies': [
    [],
    [
      [0, '0'],
      [100_000, '1Ei'],
    ],
  ],
  'of the guide': [
    guidePolicies,
    [
      [0, '1Gi', outside(0, '1-4, 5-8, 9-16, 17-1024')],
      [-3, '1Gi', outside(-3, '1-4, 5-8, 9-16, 17-1024')],
      [1025, '1Gi', outside(1025, '1-4, 5-8, 9-16, 17-1024')],
      [
        { cores: 1025, coreFraction: 3, dedicatedCores: true },
        '1',
        outside(1025, '1-4, 5-8, 9-16, 17-1024'),
      ],
      [1, '1Gi'],
      [1, '1.5Gi'],
      [4, '2Gi'],
      [4, '2560Mi'],
      [4, '8Gi'],
      [2, '1023Mi', memory('1023Mi', 'between 1Gi and 8Gi')],
      [2, '16Gi', memory('16Gi', 'between 1Gi and 8Gi')],
      [2, '8.5Gi', memory('8704Mi', 'between 1Gi and 8Gi')],
      [2, '0', memory('0', 'between 1Gi and 8Gi')],
      [2, '-2Gi', memory('-2Gi', 'between 1Gi and 8Gi')],
      [2, '1280Mi', memoryStep('1280Mi', '1Gi or 1536Mi')],
      [2, '1.25Gi', memoryStep('1280Mi', '1Gi or 1536Mi')],
      [2, '2e9', memoryStep('1953125Ki', '1536Mi or 2Gi')],
      [2, 2_000_000_000, memoryStep('1953125Ki', '1536Mi or 2Gi')],
      [2, 2_147_483_648],
      [2, '2G', memoryStep('1953125Ki', '1536Mi or 2Gi')],
      [2, '1073741824500m', memoryStep('1073741824500m', '1Gi or 1536Mi')],
      [{ cores: 1, coreFraction: '5%' }, '1Gi'],
      [{ cores: 1, coreFraction: 5 }, '1Gi'],
      [{ cores: 1, coreFraction: '10%' }, '1Gi'],
      [{ cores: 1, coreFraction: '100%' }, '1Gi'],
      [{ cores: 1, coreFraction: '30%' }, '1Gi', fraction('30%', '5%, 10%, 20%, 50%, 100%')],
      [{ cores: 1, coreFraction: 30 }, '1Gi', fraction('30%', '5%, 10%, 20%, 50%, 100%')],
      [{ cores: 1, dedicatedCores: false }, '1Gi'],
      [{ cores: 1, dedicatedCores: true }, '1Gi', notDedicated],
      [
        { cores: 3, coreFraction: '1%', dedicatedCores: true },
        '9Gi',
        fraction('1%', '5%, 10%, 20%, 50%, 100%'),
        notDedicated,
        memory('9Gi', 'between 1Gi and 8Gi'),
      ],
      [5, '5Gi'],
      [5, '6Gi'],
      [8, '16Gi'],
      [8, '4Gi', memory('4Gi', 'between 5Gi and 16Gi')],
      [8, '17Gi', memory('17Gi', 'between 5Gi and 16Gi')],
      [6, '5.5Gi', memoryStep('5632Mi', '5Gi or 6Gi')],
      [6, '15.999Gi', memoryStep('17178795442176m', '15Gi or 16Gi')],
      [{ cores: 5, coreFraction: '10%' }, '5Gi', fraction('10%', '20%, 50%, 100%')],
      [{ cores: 5, coreFraction: '20%' }, '5Gi'],
      [{ cores: 5, dedicatedCores: true }, '5Gi', notDedicated],
      [9, '9Gi'],
      [{ cores: 9, dedicatedCores: true }, '9Gi'],
      [{ cores: 16, dedicatedCores: true, coreFraction: '50%' }, '32Gi'],
      [
        { cores: 16, dedicatedCores: true, coreFraction: '20%' },
        '32Gi',
        fraction('20%', '50%, 100%'),
      ],
      [12, '8Gi', memory('8Gi', 'between 9Gi and 32Gi')],
      [12, '33Gi', memory('33Gi', 'between 9Gi and 32Gi')],
      [12, '9.5Gi', memoryStep('9728Mi', '9Gi or 10Gi')],
      [17, '17Gi', onlyDedicated],
      [{ cores: 17, dedicatedCores: true }, '17Gi'],
      [{ cores: 17, dedicatedCores: true }, '34Gi'],
      [{ cores: 17, dedicatedCores: true }, '20.123Gi'],
      [
        { cores: 17, dedicatedCores: true },
        '16Gi',
        perCore('16Gi', 17, 'between 17Gi and 34Gi', 'between 1Gi and 2Gi'),
      ],
      [
        { cores: 17, dedicatedCores: true },
        '35Gi',
        perCore('35Gi', 17, 'between 17Gi and 34Gi', 'between 1Gi and 2Gi'),
      ],
      [{ cores: 1024, dedicatedCores: true }, '1Ti'],
      [{ cores: 1024, dedicatedCores: true }, '2Ti'],
      [
        { cores: 1024, dedicatedCores: true },
        '3Ti',
        perCore('3Ti', 1024, 'between 1Ti and 2Ti', 'between 1Gi and 2Gi'),
      ],
      [
        { cores: 20, dedicatedCores: false, coreFraction: '50%' },
        '1Gi',
        fraction('50%', '100%'),
        onlyDedicated,
        perCore('1Gi', 20, 'between 20Gi and 40Gi', 'between 1Gi and 2Gi'),
      ],
    ],
  ],
  'with gaps between ranges, out of order': [
    [{ cores: { min: 5, max: 8 } }, { cores: { min: 1, max: 3 } }],
    [
      [3, '1'],
      [4, '1', outside(4, '5-8, 1-3')],
      [5, '1'],
      [8, '16Ei'],
      [9, '1', outside(9, '5-8, 1-3')],
    ],
  ],
  'with one number of cores': [
    [{ cores: { min: 3, max: 3, step: 7 } }],
    [
      [2, '1Gi', outside(2, '3-3')],
      [3, '1Gi'],
      [4, '1Gi', outside(4, '3-3')],
    ],
  ],
  'with a step of cores from 2 to 9': [
    [{ cores: { min: 2, max: 9, step: 2 } }],
    [
      [1, '1Gi', outside(1, '2-9')],
      [2, '1Gi'],
      [3, '1Gi', coreStep(3, '2 or 4')],
      [4, '1Gi'],
      [5, '1Gi', coreStep(5, '4 or 6')],
      [7, '1Gi', coreStep(7, '6 or 8')],
      [8, '1Gi'],
      [9, '1Gi'],
      [10, '1Gi', outside(10, '2-9')],
    ],
  ],
  'with a step that ends before the maximum': [
    [{ cores: { min: 1, max: 12, step: 5 } }],
    [
      [1, '1Gi'],
      [6, '1Gi'],
      [10, '1Gi', coreStep(10, '6 or 11')],
      [11, '1Gi'],
      [12, '1Gi'],
    ],
  ],
  'with a step beyond the maximum': [
    [{ cores: { min: 1, max: 4, step: 1000 } }],
    [
      [1, '1Gi'],
      [2, '1Gi', coreStep(2, '1 or 4')],
      [3, '1Gi', coreStep(3, '1 or 4')],
      [4, '1Gi'],
    ],
  ],
  'with a default fraction': [
    [{ cores: { min: 1, max: 4 }, coreFractions: [5, 10], defaultCoreFraction: 10 }],
    [
      [1, '1Gi'],
      [{ cores: 1, coreFraction: '5%' }, '1Gi'],
      [{ cores: 1, coreFraction: '100%' }, '1Gi', fraction('100%', '5%, 10%')],
      [{ cores: 1, coreFraction: '30%' }, '1Gi', fraction('30%', '5%, 10%')],
    ],
  ],
  'without a default fraction': [
    [{ cores: { min: 1, max: 4 }, coreFractions: [5, 10] }],
    [
      [1, '1Gi', fraction('100%', '5%, 10%')],
      [{ cores: 1, coreFraction: 10 }, '1Gi'],
    ],
  ],
  'with lists that are empty': [
    [{ cores: { min: 1, max: 4 }, coreFractions: [], dedicatedCores: [], memory: { perCore: {} } }],
    [
      [{ cores: 1, coreFraction: 33, dedicatedCores: true }, '1Gi'],
      [{ cores: 1, dedicatedCores: false }, '1'],
    ],
  ],
  'with dedicated cores alone': [
    [{ cores: { min: 1, max: 4 }, dedicatedCores: [true, true] }],
    [
      [1, '1Gi', onlyDedicated],
      [{ cores: 1, dedicatedCores: false }, '1Gi', onlyDedicated],
      [{ cores: 1, dedicatedCores: true }, '1Gi'],
    ],
  ],
  'with a least size': [
    [{ cores: { min: 1, max: 4 }, memory: { min: '1.5Gi' } }],
    [
      [1, '1Gi', memory('1Gi', 'at least 1536Mi')],
      [1, '1.5Gi'],
      [1, '16Ei'],
    ],
  ],
  'with a largest size': [
    [{ cores: { min: 1, max: 4 }, memory: { max: '1e9' } }],
    [
      [1, '1Gi', memory('1Gi', 'at most 1000000000')],
      [1, '1G'],
      [1, '1'],
    ],
  ],
  'with one size': [
    [{ cores: { min: 1, max: 4 }, memory: { min: '1Gi', max: '1024Mi', step: '3Gi' } }],
    [
      [1, '1Gi'],
      [1, '2Gi', memory('2Gi', 'between 1Gi and 1Gi')],
    ],
  ],
  'with a step alone': [
    [{ cores: { min: 1, max: 4 }, memory: { step: '1Gi' } }],
    [
      [1, '1Gi'],
      [1, '512Mi', memoryStep('512Mi', '1Gi')],
      [1, '1536Mi', memoryStep('1536Mi', '1Gi or 2Gi')],
      [1, '1000Gi'],
      [1, '0', memoryStep('0', '1Gi')],
      [1, '-1Gi', memoryStep('-1Gi', '1Gi')],
      [1, '-1536Mi', memoryStep('-1536Mi', '1Gi')],
      [1, '-1', memoryStep('-1', '1Gi')],
    ],
  ],
  'with a step from a least size': [
    [{ cores: { min: 1, max: 4 }, memory: { min: '100Mi', step: '1Gi' } }],
    [
      [1, '100Mi'],
      [1, '1124Mi'],
      [1, '1Gi', memoryStep('1Gi', '100Mi or 1124Mi')],
      [1, '99Mi', memory('99Mi', 'at least 100Mi')],
    ],
  ],
  'with a step to a largest size': [
    [{ cores: { min: 1, max: 4 }, memory: { min: '1Gi', max: '2.5Gi', step: '1Gi' } }],
    [
      [1, '2Gi'],
      [1, '2.5Gi'],
      [1, '2.25Gi', memoryStep('2304Mi', '2Gi or 2560Mi')],
      [1, '3Gi', memory('3Gi', 'between 1Gi and 2560Mi')],
    ],
  ],
  'with a largest size below the step': [
    [{ cores: { min: 1, max: 4 }, memory: { max: '1Gi', step: '2Gi' } }],
    [
      [1, '1Gi'],
      [1, '512Mi', memoryStep('512Mi', '1Gi')],
      [1, '-3Gi', memoryStep('-3Gi', '1Gi')],
    ],
  ],
  'with a step of one byte up to 16 EiB': [
    [{ cores: { min: 1, max: 4 }, memory: { min: '1', max: '16Ei', step: '1' } }],
    [
      [1, '1'],
      [1, '16Ei'],
      [1, '18446744073709551615'],
      [1, '18446744073709551617', memory('18446744073709551617', 'between 1 and 16Ei')],
      [
        1,
        '9223372036854775807500m',
        memoryStep('9223372036854775807500m', '9223372036854775807 or 8Ei'),
      ],
      [1, '500m', memory('500m', 'between 1 and 16Ei')],
    ],
  ],
  'with a step of a billionth of a byte': [
    [{ cores: { min: 1, max: 4 }, memory: { max: '16Ei', step: '1n' } }],
    [
      [1, '16Ei'],
      [1, '0.000000001'],
    ],
  ],
  'with sizes for each core': [
    [{ cores: { min: 4, max: 8 }, memory: { perCore: { min: '1Gi', max: '2Gi' } } }],
    [
      [6, '18Gi', perCore('18Gi', 6, 'between 6Gi and 12Gi', 'between 1Gi and 2Gi')],
      [6, '6Gi'],
      [6, '12Gi'],
      [6, '6143Mi', perCore('6143Mi', 6, 'between 6Gi and 12Gi', 'between 1Gi and 2Gi')],
    ],
  ],
  'with a least size for each core': [
    [{ cores: { min: 1, max: 8 }, memory: { perCore: { min: '1.5Gi' } } }],
    [
      [3, '4Gi', perCore('4Gi', 3, 'at least 4608Mi', 'at least 1536Mi')],
      [3, '4.5Gi'],
      [2, '16Ei'],
    ],
  ],
  'with a largest size for each core': [
    [{ cores: { min: 1, max: 8 }, memory: { perCore: { max: '0.5Gi' } } }],
    [
      [3, '2Gi', perCore('2Gi', 3, 'at most 1536Mi', 'at most 512Mi')],
      [3, '1.5Gi'],
      [3, '1'],
    ],
  ],
  'with everything at once': [
    [
      {
        cores: { min: 2, max: 8, step: 2 },
        memory: { min: '2Gi', max: '8Gi', step: '1Gi', perCore: { min: '1Gi', max: '1Gi' } },
        coreFractions: [50],
        dedicatedCores: [true],
      },
    ],
    [
      [{ cores: 4, coreFraction: '50%', dedicatedCores: true }, '4Gi'],
      [
        5,
        '4.5Gi',
        coreStep(5, '4 or 6'),
        fraction('100%', '50%'),
        onlyDedicated,
        memoryStep('4608Mi', '4Gi or 5Gi'),
        perCore('4608Mi', 5, 'between 5Gi and 5Gi', 'between 1Gi and 1Gi'),
      ],
      [
        7,
        '9.5Gi',
        coreStep(7, '6 or 8'),
        fraction('100%', '50%'),
        onlyDedicated,
        memory('9728Mi', 'between 2Gi and 8Gi'),
        perCore('9728Mi', 7, 'between 7Gi and 7Gi', 'between 1Gi and 1Gi'),
      ],
    ],
  ],
}

describe.each(Object.entries(tables))('a class %s', (_, [policies, rows]) => {
  const cases = rows.map(([cpu, size, ...messages]) => ({ cpu, size, messages }))
  test.each(cases)('judges $cpu cores and $size of memory', ({ cpu, size, messages }) => {
    expect(messagesOf(policies, cpu, size)).toEqual(messages)
  })
})

test('there are more than 120 cases', () => {
  expect(Object.values(tables).flatMap(([, rows]) => rows).length).toBeGreaterThan(120)
})

test('each violation names its code and the field to change', () => {
  const policies = [
    {
      cores: { min: 2, max: 8, step: 2 },
      memory: { max: '8Gi', step: '1Gi', perCore: { max: '1Gi' } },
      coreFractions: [50],
      dedicatedCores: [true],
    },
  ]
  const told = (cpu: object, size: string) =>
    evaluate(
      virtualMachineClassSchema.parse(machineClass(policies)),
      virtualMachineSchema.parse(machine(cpu, size)),
    ).map(({ code, path }) => `${code} ${path}`)
  expect(told({ cores: 1 }, '1Gi')).toEqual(['CORES_OUT_OF_RANGE spec.cpu.cores'])
  expect(told({ cores: 3 }, '3.5Gi')).toEqual([
    'CORES_OFF_STEP spec.cpu.cores',
    'CORE_FRACTION_NOT_ALLOWED spec.cpu.coreFraction',
    'DEDICATED_CORES_REQUIRED spec.cpu.dedicatedCores',
    'MEMORY_OFF_STEP spec.memory.size',
    'MEMORY_PER_CORE_OUT_OF_RANGE spec.memory.size',
  ])
  expect(told({ cores: 8, coreFraction: 50, dedicatedCores: true }, '9Gi')).toEqual([
    'MEMORY_OUT_OF_RANGE spec.memory.size',
    'MEMORY_PER_CORE_OUT_OF_RANGE spec.memory.size',
  ])
})
