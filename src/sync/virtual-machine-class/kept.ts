import type { Written } from '../apply-status.ts'
import type { MachineClass } from './resource.ts'

/** What is remembered of a class between two looks. */
export type Memory = Written & {
  readonly uid: string
  /** Names of events that were told, as long as the status that they lead to is not written. */
  readonly told: Set<string>
  /** The sizing policies that were looked at last, as JSON. */
  policies: string
}

export class Kept {
  readonly #memories = new Map<string, Memory>()

  /** What is remembered of an earlier class of the name is forgotten. */
  of(resource: MachineClass): Memory {
    const { name, uid } = resource.metadata
    const known = this.#memories.get(name)
    if (known?.uid === uid) return known
    const policies = policiesOf(resource)
    const memory = { uid, told: new Set<string>(), policies, undeclared: [], written: null }
    this.#memories.set(name, memory)
    return memory
  }

  forget(name: string): void {
    this.#memories.delete(name)
  }
}

export function policiesOf({ spec: { sizingPolicies } }: MachineClass): string {
  return JSON.stringify(sizingPolicies ?? [])
}
