import { kind, type ClusterVirtualImage } from '../resource.ts'
import type { Finding } from './status.ts'
import type { Surroundings } from './surroundings.ts'

/** What a resource that refers to another one waits for, or the uid of the other one, null where it refers to none. */
export type Referred = { readonly finding: Finding } | { readonly uid: string | null }

type Around = Pick<Surroundings, 'mirror' | 'resources'>

export function referTo(resource: ClusterVirtualImage, around: Around): Referred {
  const { objectRef } = resource.spec.dataSource
  if (!objectRef) return { uid: null }
  if (objectRef.kind !== kind) return { finding: foreign(objectRef.kind) }
  const { name } = objectRef
  const other = around.resources.get(name)
  if (leadsBack(resource, around))
    return waiting(
      `the references lead from "${name}" back here; delete one of these resources and create it with another data source`,
    )
  if (!other) return waiting(`there is no ${kind} "${name}"; create it, or delete this one`)
  const phase = phaseOf(other, around)
  if (phase === 'Ready') return { uid: other.metadata.uid }
  return waiting(`the ${kind} "${name}" is ${phase}; this one waits until it is Ready`)
}

/** As the service has it; of what is being deleted, nothing new is made. */
function phaseOf({ metadata, status }: ClusterVirtualImage, { mirror }: Around): string {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating'
  const image = mirror.get(metadata.name)
  if (image?.ownerUid === metadata.uid) return image.status.phase
  return status?.phase === 'Failed' ? 'Failed' : 'Pending'
}

/** Whether the references end where they began. */
function leadsBack(resource: ClusterVirtualImage, { resources }: Around): boolean {
  const { metadata } = resource
  const seen = new Set<string>()
  let next = referenceOf(resource)
  while (next !== undefined && !seen.has(next)) {
    if (next === metadata.name) return true
    seen.add(next)
    next = referenceOf(resources.get(next))
  }
  return false
}

function referenceOf(resource: ClusterVirtualImage | null): string | undefined {
  const { objectRef } = resource?.spec.dataSource ?? {}
  return objectRef?.kind === kind ? objectRef.name : undefined
}

function waiting(message: string): Referred {
  const [reason, source] = ['ProvisioningNotStarted', 'ClusterImageNotReady'] as const
  return { finding: { phase: 'Pending', reason, source, message } }
}

function foreign(wanted: string): Finding {
  return {
    phase: 'Failed',
    reason: 'ProvisioningFailedTerminally',
    source: 'DatasourceNotReady',
    message: `images of a ${wanted} need the platform's own controllers, which Slipway does not have; refer to a ${kind}, or use another type of data source`,
  }
}
