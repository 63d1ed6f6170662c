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
  const names = classes.map(({ metadata }) => metadata.name)
  return noClass(name, others.length > 0, names)
}

/** An empty name is none, as for the API server. */
export function isNamed(name: string | undefined): name is string {
  return name !== undefined && name !== ''
}

/** More classes are not named. */
const mostNamed = 100

/**
 * @param name of the class that is wanted; without one, the default is
 * @param isDouble whether there is more than one, and not none
 * @param names of the classes that there are
 */
export function noClass(
  name: string | undefined,
  isDouble: boolean,
  names: readonly string[],
): Violation {
  return {
    code: 'CLASS_NOT_FOUND',
    path: 'spec.virtualMachineClassName',
    message: `${problem(name, isDouble)}; ${wayOut(names)}`,
  }
}

/** @param names of the classes that there are, and stay */
export function leavingClass(name: string, names: readonly string[]): Violation {
  const message = `VirtualMachineClass "${name}" is on its way out, and takes no more machines; ${wayOut(names)}`
  return { code: 'CLASS_NOT_FOUND', path: 'spec.virtualMachineClassName', message }
}

function problem(name: string | undefined, isDouble: boolean): string {
  if (isNamed(name))
    return `there is ${isDouble ? 'more than one' : 'no'} VirtualMachineClass "${name}"`
  return `no VirtualMachineClass is named, and ${isDouble ? 'more than one is' : 'none is'} the default`
}

function wayOut(names: readonly string[]): string {
  if (names.length === 0)
    return 'there are no classes yet: create one, and set it in spec.virtualMachineClassName'
  const more = names.length > mostNamed ? ', …' : ''
  const shown = [...names].sort().slice(0, mostNamed).join(', ')
  return `set the class (spec.virtualMachineClassName) to one of: ${shown}${more}`
}
