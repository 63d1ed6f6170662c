import { isNamed } from '../../machine/choose-class.ts'
import { isDefault } from '../../machine/virtual-machine-class.ts'
import type { KnownClasses } from './known-classes.ts'
import { allowed, isOfNoConcern, isUnchanged, partOf, type Asked, type Verdict } from './review.ts'

const namePath = ['spec', 'virtualMachineClassName']

/**
 * Names the class of a VirtualMachine that names none: the one that it had, else the default. Without a default, or with
 * several, it stays so: whether that is good is not said here. Throws what the API server fails with, the reason of the signal.
 */
export async function defaultMachine(
  asked: Asked,
  classes: Pick<KnownClasses, 'all'>,
  signal: AbortSignal,
): Promise<Verdict> {
  if (isOfNoConcern(asked) || isUnchanged(asked, ['spec']) || !lacksName(asked.object)) {
    return allowed
  }
  const name = nameIn(asked.oldObject) ?? (await nameOfDefault(classes, signal))
  if (name === null) return allowed
  return { outcome: 'patched', patch: [{ op: 'add', path: `/${namePath.join('/')}`, value: name }] }
}

/** What has no spec is for the API server to refuse. */
function lacksName(object: unknown): boolean {
  const [spec, name] = [partOf(object, ['spec']), partOf(object, namePath)]
  const isObject = typeof spec === 'object' && spec !== null
  return isObject && (name === undefined || name === null || name === '')
}

function nameIn(object: unknown): string | null {
  const name = partOf(object, namePath)
  return typeof name === 'string' && isNamed(name) ? name : null
}

async function nameOfDefault(
  classes: Pick<KnownClasses, 'all'>,
  signal: AbortSignal,
): Promise<string | null> {
  const [first, ...others] = (await classes.all(signal)).filter((each) => isDefault(each))
  return first && others.length === 0 ? first.metadata.name : null
}
