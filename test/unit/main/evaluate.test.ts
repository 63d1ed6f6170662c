import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dump } from 'js-yaml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Refusal } from '../../../src/errors.ts'
import { command } from '../../../src/main/evaluate.ts'
import {
  defaultClass,
  guidePolicies,
  machine,
  machineClass,
} from '../../support/machine-classes.ts'
import { attempt, type RunOptions } from '../../support/shell.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const program = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))
const resources = new AsyncDisposableStack()
let folder: string
beforeAll(async () => {
  folder = resources.use(await temporaryFolder()).path
})
afterAll(() => resources.disposeAsync())

const yaml = (...documents: readonly object[]) =>
  documents.map((each) => `---\n${dump(each)}`).join('')

async function write(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

const classes = () =>
  write(
    'classes.yaml',
    yaml(
      machineClass(guidePolicies, 'universal', defaultClass),
      machineClass([{ cores: { min: 1, max: 2 } }], 'cpuX'),
    ),
  )

const run = async (args: readonly string[], options?: RunOptions) =>
  await attempt(process.execPath, [program, 'evaluate', ...args], options)

const outside =
  'does not match any sizing policy of VirtualMachineClass "cpuX": its 4 CPU core(s) fall outside the allowed ranges (1-2); set the number of cores (spec.cpu.cores) accordingly'

describe.concurrent('slipway evaluate', () => {
  test('takes several files and tells what does not fit, with exit code 1', async () => {
    const asked = await write('x.yaml', yaml(machine({ cores: 4 }, '1Gi', 'cpuX')))
    const { code, stdout, stderr } = await run(['-f', await classes(), '--file', asked])
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    const violation = { code: 'CORES_OUT_OF_RANGE', path: 'spec.cpu.cores', message: outside }
    expect(JSON.parse(stdout)).toEqual({ fits: false, violations: [violation] })
  })

  test('fills the default class in, reads standard input, and ends with 0 for what fits', async () => {
    const input = yaml({ kind: 'List', items: [{ kind: 'ConfigMap' }, machine({ cores: 4 })] })
    const { code, stdout } = await run(['-f', await classes(), '-f', '-'], { input })
    expect({ code, stdout }).toEqual({ code: 0, stdout: '{"fits":true,"violations":[]}\n' })
  })

  test('tells people of a class that is missing with those that there are', async () => {
    const asked = await write('y.yaml', yaml(machine({ cores: 4 }, '1Gi', 'cpuY')))
    const { code, stdout } = await run(['-f', await classes(), '-f', asked, '-o', 'table'])
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout:
        'spec.virtualMachineClassName  there is no VirtualMachineClass "cpuY"; set the class (spec.virtualMachineClassName) to one of: cpuX, universal\n',
    })
  })

  test.skipIf(!existsSync('/dev/full'))('ends with 2 when nobody can be told', async () => {
    const asked = await write('full.yaml', yaml(machine({ cores: 4 }, '1Gi', 'universal')))
    const files = ['-f', await classes(), '-f', asked]
    const line = ['-c', '"$0" "$@" > /dev/full', process.execPath, program, 'evaluate', ...files]
    expect(await attempt('/bin/sh', line)).toEqual({
      code: 2,
      stdout: '',
      stderr: 'what was to be told cannot be written (ENOSPC)\n',
    })
  })

  test('ends with 2 for files that are not there', async () => {
    const { code, stdout, stderr } = await run(['-f', join(folder, 'missing.yaml')])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('missing.yaml')
  })
})

describe('slipway evaluate refuses', () => {
  const refusal = async (...file: readonly string[]) => {
    const asked = command.run([], { file, output: 'json' })
    await expect(asked).rejects.toThrow(Refusal)
    return await asked.then(String, (error: Refusal) => error.message)
  }

  test('the placeholder of the guide, by the name of its field', async () => {
    const text = `${yaml(machine({ cores: 1 }))}---
apiVersion: virtualization.deckhouse.io/v1alpha2
kind: VirtualMachineClass
metadata:
  name: cpuX
spec:
  cpu:
    discovery: {}
    type: Discovery
  sizingPolicies: { ... }
`
    const file = await write('placeholder.yaml', text)
    expect(await refusal(file)).toBe(
      `${file}: VirtualMachineClass "cpuX": spec.sizingPolicies: must be a list`,
    )
  })

  test('all that is wrong at once', async () => {
    const file = await write(
      'wrong.yaml',
      yaml(
        machine({ cores: 1 }, '1e3Mi'),
        machineClass([{ cores: { min: 2, max: 1, steps: 1 } }], 'a'),
        machineClass([{ cores: { min: 1, max: 10 } }, { cores: { min: 3, max: 5 } }], 'x'),
      ),
    )
    expect((await refusal(file)).split('\n')).toEqual([
      `${file}: VirtualMachineClass "a": spec.sizingPolicies.0.cores.steps: there is no such field`,
      `${file}: VirtualMachineClass "a": spec.sizingPolicies.0.cores: The minimum must not be greater than the maximum`,
      `${file}: VirtualMachineClass "x": spec.sizingPolicies.1.cores: VirtualMachineClass "x" has sizing policies whose core ranges overlap: 1-10 and 3-5`,
      `${file}: VirtualMachine "linux-vm": spec.memory.size: must be a quantity such as 512Mi, 1.5Gi or 1e9`,
    ])
  })

  test.each([
    ['no machine', [machineClass()], 'the files hold 1 VirtualMachineClass and 0 VirtualMachine;'],
    ['no class', [machine({ cores: 1 })], 'hold 0 VirtualMachineClass and 1 VirtualMachine;'],
    [
      'two machines',
      [machineClass(), machine({ cores: 1 }), machine({ cores: 2 })],
      'hold 1 VirtualMachineClass and 2 VirtualMachine; give at least one class and exactly one machine',
    ],
  ])('files with %s', async (what, documents, told) => {
    expect(await refusal(await write(`${what}.yaml`, yaml(...documents)))).toContain(told)
  })

  test('what is no YAML, no text, or too large', async () => {
    expect(await refusal(await write('a.yaml', 'a: [1'))).toMatch(/a\.yaml is no YAML: /)
    const bytes = Buffer.from([0x61, 0xff])
    expect(await refusal(await write('b.yaml', bytes))).toMatch(/b\.yaml is no text in UTF-8$/)
    const large = Buffer.alloc(4 * 1024 * 1024 + 1, ' ')
    expect(await refusal(await write('c.yaml', large))).toMatch(
      /c\.yaml has more than 4194304 bytes$/,
    )
  })

  test('a folder', async () => {
    expect(await refusal(folder)).toBe(`${folder} is a folder; name the files in it`)
  })

  test('documents that grow when they are unfolded, without unfolding them', async () => {
    const folds = Array.from(
      { length: 40 },
      (_, at) => `a${at}: &a${at} [*a${at - 1}, *a${at - 1}]`,
    )
    const bomb = `&a-1 x\n${folds.join('\n')}`
    const text = `kind: VirtualMachineClass\nx: ${bomb}\nmetadata: {name: *a39}\nspec: {sizingPolicies: *a39}\n---\n${dump(machine({ cores: 1 }))}`
    expect(await refusal(await write('bomb.yaml', text))).toContain('metadata.name: ')
  })

  test('to run without files, or with operands', async () => {
    expect(await refusal()).toBe('give files with -f; try slipway evaluate --help')
    await expect(command.run(['class.yaml'], {})).rejects.toThrow('give no more than options')
  })
})
