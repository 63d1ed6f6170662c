import { z } from 'zod'
import { metadataSchema } from '../../kube/cluster-api.ts'
import { isNamed } from '../../machine/choose-class.ts'
import { apiVersion } from '../resource.ts'

/** VirtualMachines are of another program; as much is read of them as says which class they want, and whether they fit it. */

export const machinesPath = `/apis/${apiVersion}/virtualmachines`

export const machineSchema = z.object({
  metadata: metadataSchema,
  spec: z.object({
    virtualMachineClassName: z.string().optional(),
    cpu: z.unknown().optional(),
    memory: z.unknown().optional(),
  }),
  // Whatever somebody wrote there, the machine names its class.
  status: z.object({ conditions: z.unknown().optional() }).optional().catch(undefined),
})
export type Machine = z.output<typeof machineSchema>

/** Which machines name which class. */
export class Users {
  readonly #classes = new Map<string, string>()
  readonly #machines = new Map<string, Set<string>>()

  /**
   * @param name with its namespace
   * @param machine null when there is none of this name any more
   * @returns the classes that are named by another number of machines now
   */
  note(name: string, machine: Machine | null): readonly string[] {
    const [before, after] = [this.#classes.get(name), machine?.spec.virtualMachineClassName]
    if (before === after) return []
    if (before !== undefined) this.#leave(name, before)
    if (!isNamed(after)) return before === undefined ? [] : [before]
    this.#classes.set(name, after)
    this.#machines.set(after, (this.#machines.get(after) ?? new Set()).add(name))
    return before === undefined ? [after] : [before, after]
  }

  /** Sorted names of machines, with their namespaces. */
  of(className: string): readonly string[] {
    return [...(this.#machines.get(className) ?? [])].sort()
  }

  #leave(name: string, className: string): void {
    this.#classes.delete(name)
    const machines = this.#machines.get(className)
    machines?.delete(name)
    if (machines?.size === 0) this.#machines.delete(className)
  }
}
