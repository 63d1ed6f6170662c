import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { evaluate } from '../../../src/machine/evaluate.ts'
import { parseQuantity } from '../../../src/machine/quantity.ts'
import { virtualMachineClassSchema } from '../../../src/machine/virtual-machine-class.ts'
import { virtualMachineSchema } from '../../../src/machine/virtual-machine.ts'
import { machine, machineClass } from '../../support/machine-classes.ts'

type Bounds = { readonly min?: number; readonly max?: number }
type Policy = {
  readonly cores: { readonly min: number; readonly max: number; readonly step?: number }
  readonly memory?: Bounds & { readonly step?: number; readonly perCore?: Bounds }
  readonly dedicatedCores?: readonly boolean[]
  readonly coreFractions?: readonly number[]
  readonly defaultCoreFraction?: number
}
type Asked = {
  readonly cores: number
  readonly coreFraction?: number
  readonly dedicatedCores?: boolean
  readonly size: number
}

const most = 40
const optional: { requiredKeys: never[] } = { requiredKeys: [] }

function merged<One extends object, Other extends object>([one, other]: [One, Other]) {
  return { ...one, ...other }
}

const bounds = fc
  .record(
    { min: fc.integer({ min: 1, max: 12 }), max: fc.integer({ min: 1, max: most }) },
    optional,
  )
  .filter(({ min = 0, max = most }) => min <= max)
const step = fc.integer({ min: 1, max: 9 })

const memory = fc.tuple(bounds, fc.record({ step, perCore: bounds }, optional)).map(merged)

type Fractions = { coreFractions: number[]; chosen: number; hasDefault: boolean }

function withDefault({ coreFractions, chosen, hasDefault }: Fractions) {
  const defaultCoreFraction = coreFractions[chosen % Math.max(1, coreFractions.length)]
  const isGiven = hasDefault && defaultCoreFraction !== undefined
  return { coreFractions, ...(isGiven && { defaultCoreFraction }) }
}

const fractions = fc
  .record({
    coreFractions: fc.subarray([5, 10, 50, 100]),
    chosen: fc.nat(3),
    hasDefault: fc.boolean(),
  })
  .map(withDefault)

const rest = fc
  .tuple(
    fc.record({ memory, dedicatedCores: fc.subarray([true, false]) }, optional),
    fc.option(fractions, { nil: {} }),
  )
  .map(merged)

/** Ranges of cores one after the other, some with a gap before them. */
const policies: fc.Arbitrary<Policy[]> = fc
  .array(
    fc.record({
      gap: fc.nat(1),
      width: fc.nat(6),
      step: fc.option(step, { nil: undefined }),
      rest,
    }),
    { maxLength: 3 },
  )
  .map((parts) => {
    let next = 1
    return parts.map(({ gap, width, step, rest }) => {
      const min = next + gap
      next = min + width + 1
      return { cores: { min, max: min + width, ...(step && { step }) }, ...rest }
    })
  })

const asked: fc.Arbitrary<Asked> = fc.record(
  {
    cores: fc.integer({ min: -1, max: 12 }),
    size: fc.integer({ min: -most, max: most + 5 }),
    coreFraction: fc.constantFrom(5, 10, 30, 50, 100),
    dedicatedCores: fc.boolean(),
  },
  { requiredKeys: ['cores', 'size'] },
)

/** All that a range allows, one by one. */
function grid(from: number, to: number, step: number, max: number | undefined): number[] {
  const all = max === undefined ? [] : [max]
  for (let value = from; value <= to; value += step) {
    if (value > 0 && (max === undefined || value <= max)) all.push(value)
  }
  return all
}

const isOutside = (value: number, { min, max }: Bounds, times = 1) =>
  (min !== undefined && value < min * times) || (max !== undefined && value > max * times)

/** What has to be found, without any arithmetic that could be clever. */
function expected(policies: readonly Policy[], machine: Asked): string[] {
  const { cores, size } = machine
  if (policies.length === 0) return []
  const policy = policies.find(({ cores: { min, max } }) => grid(min, max, 1, max).includes(cores))
  if (!policy) return ['CORES_OUT_OF_RANGE']
  const found: string[] = []
  const range = policy.cores
  if (!grid(range.min, range.max, range.step ?? 1, range.max).includes(cores)) {
    found.push('CORES_OFF_STEP')
  }
  const fraction = machine.coreFraction ?? policy.defaultCoreFraction ?? 100
  const fractions = policy.coreFractions ?? []
  if (fractions.length > 0 && !fractions.includes(fraction)) found.push('CORE_FRACTION_NOT_ALLOWED')
  const isDedicated = machine.dedicatedCores ?? false
  const dedications = policy.dedicatedCores ?? []
  if (dedications.length > 0 && !dedications.includes(isDedicated)) {
    found.push(isDedicated ? 'DEDICATED_CORES_NOT_ALLOWED' : 'DEDICATED_CORES_REQUIRED')
  }
  const { memory = {} } = policy
  if (isOutside(size, memory)) found.push('MEMORY_OUT_OF_RANGE')
  else if (memory.step !== undefined) {
    const allowed = grid(memory.min ?? 0, 2 * most, memory.step, memory.max)
    if (!allowed.includes(size)) found.push('MEMORY_OFF_STEP')
  }
  if (isOutside(size, memory.perCore ?? {}, cores)) found.push('MEMORY_PER_CORE_OUT_OF_RANGE')
  return found
}

const amount = (value: number | undefined, key: string) =>
  value === undefined ? {} : { [key]: `${value}` }
const shownBounds = ({ min, max }: Bounds) => ({ ...amount(min, 'min'), ...amount(max, 'max') })

/** Memory as text, as manifests have it. */
function manifest(policy: Policy): object {
  if (!policy.memory) return policy
  const { step, perCore } = policy.memory
  const range = { ...shownBounds(policy.memory), ...amount(step, 'step') }
  return { ...policy, memory: { ...range, ...(perCore && { perCore: shownBounds(perCore) }) } }
}

function verdict(policies: readonly Policy[], { size, ...cpu }: Asked) {
  return evaluate(
    virtualMachineClassSchema.parse(machineClass(policies.map(manifest))),
    virtualMachineSchema.parse(machine(cpu, `${size}`)),
  )
}

test('the verdict is that of going through all that is allowed, one by one', () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(policies, asked, (policies, asked) => {
      const codes = verdict(policies, asked).map(({ code }) => code)
      for (const code of codes) seen.add(code)
      expect(codes).toEqual(expected(policies, asked))
    }),
    { numRuns: 1000 },
  )
  expect(seen.size).toBe(8)
})

test('whoever does what a message says is not told so again', () => {
  let count = 0
  fc.assert(
    fc.property(policies, asked, (policies, asked) => {
      for (const { code, message } of verdict(policies, asked)) {
        const tail = / to (\w+)(?: or (\w+))?$/.exec(message)
        const changes = (value: string) =>
          code === 'MEMORY_OFF_STEP'
            ? { size: Number((parseQuantity(value) ?? 0n) / 1_000_000_000n) }
            : { cores: Number(value) }
        if (!tail || !code.endsWith('_OFF_STEP')) continue
        for (const value of tail.slice(1).filter((each) => each !== undefined)) {
          count += 1
          const again = verdict(policies, { ...asked, ...changes(value) })
          expect(again.map((each) => each.code)).not.toContain(code)
          expect(again.map((each) => each.code)).not.toContain(
            code.replace('OFF_STEP', 'OUT_OF_RANGE'),
          )
        }
      }
    }),
    { numRuns: 500 },
  )
  expect(count).toBeGreaterThan(0)
})
