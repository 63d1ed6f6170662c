import { defaultAnnotation, isDefault } from '../../machine/virtual-machine-class.ts'
import type { WorkedOut } from '../../machine/work-out.ts'
import type { MachineClass } from './resource.ts'
import { cut } from './words.ts'

export type Condition = {
  readonly type: 'Ready' | 'Discovered' | 'InUse' | 'Default'
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  readonly lastTransitionTime: string
  readonly observedGeneration: number
}

/** All that we say of a class. */
export type Said = {
  readonly [field: string]: unknown
  readonly phase: 'Pending' | 'Ready' | 'Terminating'
  readonly availableNodes: readonly string[]
  readonly conditions: readonly Condition[]
}

/** More machines that name a class are counted, and not named. */
const mostNamed = 20

/** Others that a class has to do with. */
export type Others = {
  /** Machines that name the class, with their namespaces; null while they are not known, and what was said stays. */
  readonly users: readonly string[] | null
  /** Why the API server tells nothing of machines at present; null while it does. */
  readonly trouble: string | null
  /** Names of the other classes that are the default. */
  readonly defaults: readonly string[]
}

export function said(
  resource: MachineClass,
  out: WorkedOut,
  { users, trouble, defaults }: Others,
  now: number,
): Said {
  const { generation = 1, deletionTimestamp } = resource.metadata
  const { availableNodes, cpuFeatures, maxAllocatableResources, discovered } = out
  const isLeaving = deletionTimestamp !== undefined
  const known = users ? usedBy(users, isLeaving) : lastUse(resource)
  const inUse = isLeaving && !users?.length && trouble !== null ? unknownUse(trouble) : known
  return {
    phase: isLeaving ? 'Terminating' : out.phase,
    availableNodes,
    ...(cpuFeatures && { cpuFeatures }),
    ...(maxAllocatableResources && { maxAllocatableResources }),
    ...(discovered && discovered.rediscover !== null && { rediscovered: discovered.rediscover }),
    observedGeneration: generation,
    conditions: [...out.conditions, ...inUse, ...severalDefaults(resource, defaults)].map((told) =>
      since(resource, now, told),
    ),
  }
}

type Told = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>

/** What the status says of machines that name the class. */
export function lastUse({ status }: MachineClass): readonly Told[] {
  const last = status?.conditions?.find(({ type }) => type === 'InUse')
  if (last?.status !== 'True') return []
  const { reason, message } = last
  return [{ type: 'InUse', status: 'True', reason, message }]
}

function usedBy(users: readonly string[], isLeaving: boolean): readonly Told[] {
  if (users.length === 0) return []
  const named = users.slice(0, mostNamed).join(', ')
  const more = users.length > mostNamed ? ` and ${users.length - mostNamed} more` : ''
  const first = isLeaving ? 'it is deleted when no machine names it any more; ' : ''
  const message = `${first}named by ${users.length} virtual machine(s): ${named}${more}`
  return [{ type: 'InUse', status: 'True', reason: 'VirtualMachineClassInUse', message }]
}

/** What keeps a class from being deleted has to be seen where it is looked for. */
function unknownUse(trouble: string): readonly Told[] {
  const message = cut(
    `it is deleted when it is known that no machine names it, and the API server does not tell which there are: ${trouble}`,
  )
  return [{ type: 'InUse', status: 'Unknown', reason: 'VirtualMachinesUnknown', message }]
}

/** Two that were made the default at the same moment; the webhook lets no second one in otherwise. */
function severalDefaults(resource: MachineClass, defaults: readonly string[]): readonly Told[] {
  if (!isDefault(resource) || defaults.length === 0) return []
  const message = `machines that name no class get none, as there are other default classes: ${[...defaults].sort().join(', ')}; take the annotation ${defaultAnnotation} from all but one`
  return [{ type: 'Default', status: 'False', reason: 'SeveralDefaultClasses', message }]
}

/** A condition's time is that of its last change of status or reason, not of its message. */
function since(
  { metadata: { generation = 1 }, status }: MachineClass,
  now: number,
  told: Told,
): Condition {
  const before = status?.conditions?.find(({ type }) => type === told.type)
  const isSame = before?.status === told.status && before.reason === told.reason
  const lastTransitionTime = isSame ? before.lastTransitionTime : new Date(now).toISOString()
  return { ...told, lastTransitionTime, observedGeneration: generation }
}
