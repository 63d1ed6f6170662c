import { z } from 'zod'
import { isNamed, leavingClass, noClass } from '../../machine/choose-class.ts'
import { evaluate } from '../../machine/evaluate.ts'
import { isDefault, virtualMachineClassSchema } from '../../machine/virtual-machine-class.ts'
import { virtualMachineSchema } from '../../machine/virtual-machine.ts'
import type { Violation } from '../../machine/violation.ts'
import { cut, problemsIn, shown } from '../virtual-machine-class/words.ts'
import { virtualMachineClass } from '../virtual-machine-class/resource.ts'
import { isLeaving, namesOf, type KnownClasses, type StoredClass } from './known-classes.ts'
import {
  allowed,
  isOfNoConcern,
  isUnchanged,
  partOf,
  verdictOf,
  type Asked,
  type Cause,
  type Verdict,
} from './review.ts'

const namePath = ['spec', 'virtualMachineClassName']
/** What a class has a say in. */
const judged = [namePath, ['spec', 'cpu'], ['spec', 'memory', 'size']]

const namingSchema = z.object({
  spec: z.object({ virtualMachineClassName: z.string().optional() }),
})

/** Whether a VirtualMachine fits its class. Throws what the API server fails with, the reason of the signal. */
export async function validateMachine(
  asked: Asked,
  classes: KnownClasses,
  signal: AbortSignal,
): Promise<Verdict> {
  if (isOfNoConcern(asked) || judged.every((path) => isUnchanged(asked, path))) return allowed
  const naming = namingSchema.safeParse(asked.object)
  if (!naming.data) return verdictOf(unreadable(naming.error))
  const { virtualMachineClassName: name } = naming.data.spec
  const found = isNamed(name)
    ? await named(name, asked, classes, signal)
    : await usual(classes, signal)
  return verdictOf('code' in found ? [causeOf(found)] : judge(found, asked.object))
}

async function named(
  name: string,
  asked: Asked,
  classes: KnownClasses,
  signal: AbortSignal,
): Promise<StoredClass | Violation> {
  const found = await classes.read(name, signal)
  // Machines that name it already keep it from going.
  if (found && (!isLeaving(found) || isUnchanged(asked, namePath))) return found
  const others = (await classes.names(signal)).filter((each) => each !== name)
  return found ? leavingClass(name, others) : noClass(name, false, others)
}

/** The default class, of a machine that names none. */
async function usual(classes: KnownClasses, signal: AbortSignal): Promise<StoredClass | Violation> {
  const all = await classes.all(signal)
  const [first, ...others] = all.filter((each) => isDefault(each))
  if (first && others.length === 0) return first
  return noClass(undefined, others.length > 0, namesOf(all))
}

/** A class without policies lets everything in, even what we cannot read. */
function judge(stored: StoredClass, object: unknown): readonly Cause[] {
  const policies = partOf(stored, ['spec', 'sizingPolicies'])
  if (policies === undefined || (Array.isArray(policies) && policies.length === 0)) return []
  const { metadata, spec } = stored
  const { kind, apiVersion } = virtualMachineClass
  const machineClass = virtualMachineClassSchema.safeParse({ apiVersion, kind, metadata, spec })
  if (!machineClass.data) return [brokenClass(metadata.name, machineClass.error)]
  const machine = virtualMachineSchema.safeParse(object)
  if (!machine.data) return unreadable(machine.error)
  return evaluate(machineClass.data, machine.data).map((violation) => causeOf(violation))
}

function causeOf({ code, path, message }: Violation): Cause {
  return { code, field: path, message, told: message }
}

function unreadable(error: z.core.$ZodError): readonly Cause[] {
  return problemsIn(error).map(({ field, message }) => {
    return { code: 'MACHINE_UNREADABLE', field, message, told: `${field}: ${message}` }
  })
}

function brokenClass(name: string, error: z.core.$ZodError): Cause {
  const why = cut(shown(problemsIn(error)))
  const message = `VirtualMachineClass "${name}" cannot be read, and its administrator has to mend it: ${why}`
  return { code: 'CLASS_UNREADABLE', field: namePath.join('.'), message, told: message }
}
