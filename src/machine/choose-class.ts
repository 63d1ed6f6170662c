import { isDefault, type VirtualMachineClass } from './virtual-machine-class.ts'
import type { VirtualMachine } from './virtual-machine.ts'
import type { Violation } from './violation.ts'

/** The class that a machine names, or the default one when it names none; else why there is none. */
export function chooseClass(
  classes: readonly VirtualMachineClass[],
  { spec: { virtualMachineClassName: name } }: VirtualMachine,
): VirtualMachineClass | Violation {
  const isWanted = isNamed(name)
    ? (each: VirtualMachineClass) => each.metadata.name === name
    : isDefault
  const [found, ...others] = classes.filter(isWanted)
  if (found && others.length === 0) return found
  return missing(problem(name, others.length > 0), classes)
}

/** An empty name is none, as for the API server. */
export function isNamed(name: string | undefined): name is string {
  return name !== undefined && name !== ''
}

function problem(name: string | undefined, isDouble: boolean): string {
  if (isNamed(name))
    return `there is ${isDouble ? 'more than one' : 'no'} VirtualMachineClass "${name}"`
  return `no VirtualMachineClass is named, and ${isDouble ? 'more than one is' : 'none is'} the default`
}

function missing(problem: string, classes: readonly VirtualMachineClass[]): Violation {
  const names = classes.map(({ metadata: { name } }) => name).sort()
  return {
    code: 'CLASS_NOT_FOUND',
    path: 'spec.virtualMachineClassName',
    message: `${problem}; set the class (spec.virtualMachineClassName) to one of: ${names.join(', ')}`,
  }
}
