import { z } from 'zod'
import { virtualMachineClassSpec } from '../../machine/class-resource.ts'
import {
  defaultAnnotation,
  isDefault,
  virtualMachineClassSchema,
} from '../../machine/virtual-machine-class.ts'
import { problemsIn, type Problem } from '../virtual-machine-class/words.ts'
import type { KnownClasses } from './known-classes.ts'
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

const annotationPath = ['metadata', 'annotations', defaultAnnotation]
const resourceSchema = z.object({ spec: virtualMachineClassSpec })

/**
 * Whether a VirtualMachineClass may become what it is to be. Throws what the API server fails with, the reason of the signal.
 */
export async function validateClass(
  asked: Asked,
  classes: Pick<KnownClasses, 'all'>,
  signal: AbortSignal,
): Promise<Verdict> {
  if (isOfNoConcern(asked)) return allowed
  const flaws = flawsIn(asked.object).filter(({ path }) => !isUnchanged(asked, ratcheted(path)))
  const others = becomesDefault(asked) ? await otherDefaults(asked, classes, signal) : []
  return verdictOf([...flaws.map((flaw) => causeOf(flaw)), ...others])
}

/** The part that has to change for a problem in it to count: what was stored before a rule stays as it is. */
function ratcheted(path: readonly PropertyKey[]): readonly PropertyKey[] {
  return path[0] === 'spec' ? path.slice(0, 2) : path
}

function flawsIn(object: unknown): readonly Problem[] {
  const schemas = [resourceSchema, virtualMachineClassSchema]
  const all = schemas.flatMap((schema) => {
    const { error } = schema.safeParse(object)
    return error ? problemsIn(error) : []
  })
  // Both look at the sizing policies.
  return [...new Map(all.map((flaw) => [`${flaw.field}: ${flaw.message}`, flaw])).values()]
}

function causeOf({ field, message }: Problem): Cause {
  return { code: 'CLASS_INVALID', field, message, told: `${field}: ${message}` }
}

function becomesDefault(asked: Asked): boolean {
  const isAsked = partOf(asked.object, annotationPath) === 'true'
  return isAsked && !isUnchanged(asked, annotationPath)
}

async function otherDefaults(
  { object }: Asked,
  classes: Pick<KnownClasses, 'all'>,
  signal: AbortSignal,
): Promise<readonly Cause[]> {
  const own = partOf(object, ['metadata', 'name'])
  const all = await classes.all(signal)
  const others = all.filter((each) => isDefault(each) && each.metadata.name !== own)
  return others.map(({ metadata: { name } }) => {
    const message = `VirtualMachineClass "${name}" is the default already; take the annotation ${defaultAnnotation} from it first`
    return { code: 'SECOND_DEFAULT', field: 'metadata.annotations', message, told: message }
  })
}
