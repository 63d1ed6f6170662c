import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { virtualMachineClassSpec } from '../../../src/machine/class-resource.ts'
import { evaluate } from '../../../src/machine/evaluate.ts'
import { virtualMachineClassSchema } from '../../../src/machine/virtual-machine-class.ts'
import { virtualMachineSchema } from '../../../src/machine/virtual-machine.ts'
import { presetNames, readPresets } from '../../../src/sync/presets.ts'
import { machine } from '../../support/machine-classes.ts'

const presets = await readPresets()
const resource = z.object({ spec: virtualMachineClassSpec })

describe('the presets', () => {
  test('are all that lie in deploy/presets, and go into the image', () => {
    const files = readdirSync(new URL('../../../deploy/presets', import.meta.url))
    expect(files.sort()).toEqual(presetNames.map((name) => `${name}.yaml`).sort())
    expect(presets.map(({ metadata: { name } }) => name)).toEqual(presetNames)
    const dockerfile = readFileSync(new URL('../../../Dockerfile', import.meta.url), 'utf8')
    expect(dockerfile).toContain('COPY deploy/presets ./deploy/presets\n')
  })

  test('have the processors that the guide tells of', () => {
    const processors = presets.map((preset) => resource.parse(preset).spec.cpu)
    expect(processors).toEqual([
      { type: 'Model', model: 'Nehalem' },
      { type: 'Host' },
      { type: 'HostPassthrough' },
    ])
  })

  test('are none of them the default: that is for the administrator to say', () => {
    expect(presets.filter(({ metadata }) => 'annotations' in metadata)).toEqual([])
  })
})

/** Of each range: its ends, whether cores may be dedicated, the fractions. */
const ranges: readonly (readonly [number, number, boolean, readonly number[]])[] = [
  [1, 4, false, [5, 10, 20, 50, 100]],
  [5, 8, false, [20, 50, 100]],
  [9, 16, true, [50, 100]],
  [17, 1024, true, [100]],
]

const percentages = Array.from({ length: 100 }, (_, index) => index + 1)

describe.each(presets.map((preset) => [preset.metadata.name, preset] as const))(
  'the class %s',
  (_, preset) => {
    const machineClass = virtualMachineClassSchema.parse(preset)
    const fits = (cpu: object, size: string) =>
      evaluate(machineClass, virtualMachineSchema.parse(machine(cpu, size))).length === 0

    test.each(ranges)(
      'lets machines have %d to %d cores',
      (min, max, mayBeDedicated, fractions) => {
        for (const cores of [min, max]) {
          const allowed = percentages.filter((coreFraction) => fits({ cores, coreFraction }, '1Gi'))
          expect(allowed).toEqual(fractions)
          expect(fits({ cores }, '1Ti')).toBe(true)
          expect(fits({ cores, dedicatedCores: true }, '1Gi')).toBe(mayBeDedicated)
        }
      },
    )

    test('lets no machine have more', () => {
      expect(fits({ cores: 0 }, '1Gi')).toBe(false)
      expect(fits({ cores: 1025 }, '1Gi')).toBe(false)
    })
  },
)
