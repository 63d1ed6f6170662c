import { z } from 'zod'
import { Refusal } from '../../errors.ts'
import { checked } from '../../kube/answers.ts'
import type { ClusterApi } from '../../kube/cluster-api.ts'
import { machinesPath } from './machine.ts'

/** Machines of a page. */
const page = 100

const pageSchema = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z.array(
    z.object({
      spec: z
        .object({ virtualMachineClassName: z.unknown().optional() })
        .optional()
        .catch(undefined),
    }),
  ),
})

/**
 * Asks the API server itself whether a machine names the class: what it has told may be from before the machine.
 * @throws Refusal CLUSTER_CONFLICT when one does; Outage when it does not say
 */
export async function demandUnused(
  className: string,
  api: Pick<ClusterApi, 'get'>,
  signal: AbortSignal,
): Promise<void> {
  for await (const { spec } of machinesIn(api, signal)) {
    if (spec?.virtualMachineClassName !== className) continue
    throw new Refusal('CLUSTER_CONFLICT', `a virtual machine names ${className} by now`)
  }
}

/** None in a cluster without such a kind. */
async function* machinesIn(api: Pick<ClusterApi, 'get'>, signal: AbortSignal) {
  try {
    let next: string | undefined
    do {
      const query = { limit: String(page), ...(next && { continue: next }) }
      const { items, metadata } = checked(pageSchema, await api.get(machinesPath, query, signal))
      yield* items
      next = metadata.continue
    } while (next)
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== 'CLUSTER_NOT_FOUND') throw error
  }
}
