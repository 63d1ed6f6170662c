import { Refusal } from '../errors.ts'
import type { VirtualMachineClass } from '../machine/virtual-machine-class.ts'
import type { VirtualMachine } from '../machine/virtual-machine.ts'
import type { Violation } from '../machine/violation.ts'
import { none, outputOf, print, textsOf, type Command } from './command.ts'
import { checked, documentsOf, type Document } from './manifests.ts'

export const command: Command = {
  help: `slipway evaluate -f FILE [-f FILE ...] [--output json|table]

Tells whether a VirtualMachine fits its VirtualMachineClass, and all that keeps it from it. The files are YAML or JSON, of one
document or several, and - is standard input. Among them is one VirtualMachine, and the classes that it may name; without a name
it gets the class whose annotation says that it is the default. Other kinds are passed over. No service and no cluster is
asked. Exit code 1 when the machine does not fit, 2 when the files cannot be read or are wrong.
`,
  options: { file: { type: 'string', short: 'f', multiple: true } },
  async run(operands, values) {
    none(operands, 'evaluate')
    const output = outputOf(values)
    const files = textsOf(values, 'file')
    if (files.length === 0) {
      throw new Refusal('UNSUPPORTED', 'give files with -f; try slipway evaluate --help')
    }
    const { classes, machine } = await readManifests(files)
    const violations = await judge(classes, machine)
    const fits = violations.length === 0
    print(output === 'json' ? `${JSON.stringify({ fits, violations })}\n` : table(violations))
    return fits ? 0 : 1
  },
}

async function judge(
  classes: readonly VirtualMachineClass[],
  machine: VirtualMachine,
): Promise<readonly Violation[]> {
  const { chooseClass } = await import('../machine/choose-class.ts')
  const { evaluate } = await import('../machine/evaluate.ts')
  const chosen = chooseClass(classes, machine)
  return 'code' in chosen ? [chosen] : evaluate(chosen, machine)
}

function table(violations: readonly Violation[]): string {
  if (violations.length === 0) return 'fits\n'
  return violations.map(({ path, message }) => `${path}  ${message}\n`).join('')
}

type Manifests = {
  readonly classes: readonly VirtualMachineClass[]
  readonly machine: VirtualMachine
}

/** @throws Refusal with all that is wrong in the manifests, or when there is no class, or not one machine */
async function readManifests(files: readonly string[]): Promise<Manifests> {
  const { virtualMachineClassSchema } = await import('../machine/virtual-machine-class.ts')
  const { virtualMachineSchema } = await import('../machine/virtual-machine.ts')
  const documents: Document[] = []
  for (const file of new Set(files)) documents.push(...(await documentsOf(file)))
  const classes = documents.filter(({ kind }) => kind === 'VirtualMachineClass')
  const machines = documents.filter(({ kind }) => kind === 'VirtualMachine')
  if (classes.length === 0 || machines.length !== 1) {
    throw new Refusal(
      'INVALID_REQUEST',
      `the files hold ${classes.length} VirtualMachineClass and ${machines.length} VirtualMachine; give at least one class and exactly one machine`,
    )
  }
  const problems: string[] = []
  const read = {
    classes: checked(virtualMachineClassSchema, classes, problems),
    machines: checked(virtualMachineSchema, machines, problems),
  }
  const [machine] = read.machines
  if (problems.length > 0 || !machine) throw new Refusal('INVALID_REQUEST', problems.join('\n'))
  return { classes: read.classes, machine }
}
