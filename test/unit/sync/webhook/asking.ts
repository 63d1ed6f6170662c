import { KnownClasses } from '../../../../src/sync/webhook/known-classes.ts'
import type { Asked } from '../../../../src/sync/webhook/review.ts'
import { virtualMachineClass } from '../../../../src/sync/virtual-machine-class/resource.ts'
import { ClusterStandIn } from '../../../support/cluster-stand-in.ts'
import type { machineClass } from '../../../support/machine-classes.ts'

export type Shape = { readonly [field: string]: unknown }
export type Written = { readonly kind: string; readonly metadata?: unknown }

/** The request within a review of an object that is created, or that was another one before. */
export function asked(object: Written, oldObject: Written | null = null, fields: Shape = {}) {
  const { name = '' } = (object.metadata ?? {}) as { readonly name?: string }
  return {
    uid: 'b2b6',
    kind: { kind: object.kind },
    operation: oldObject ? 'UPDATE' : 'CREATE',
    name,
    userInfo: { username: 'jane' },
    object,
    oldObject,
    ...fields,
  } satisfies Asked
}

export const lasting = () => new AbortController().signal

/** Classes that an API server in memory has; those that are watched are `synced` names, not known without them. */
export function classesOf(
  stored: readonly ReturnType<typeof machineClass>[],
  synced: readonly string[] | null = null,
) {
  const api = new ClusterStandIn()
  for (const each of stored) putClass(api, each)
  const items = () => (synced ?? []).map((name) => ({ metadata: { name } }) as never)
  const resources = { items, isSynced: synced !== null }
  return { api, resources, classes: new KnownClasses({ api, resources }) }
}

export function putClass(api: ClusterStandIn, object: ReturnType<typeof machineClass>): void {
  api.put(`${virtualMachineClass.path}/${object.metadata.name}`, object)
}
