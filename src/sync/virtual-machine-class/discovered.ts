import { z } from 'zod'
import type { Discovered } from '../../machine/discover.ts'
import type { Before } from '../../machine/work-out.ts'
import { change } from '../custom-resource.ts'
import { virtualMachineClass, type MachineClass } from './resource.ts'
import type { Surroundings } from './surroundings.ts'

const domain = 'virtualmachineclass.virtualization.deckhouse.io'
/** Asks to discover anew, with each new value. */
const rediscover = `${domain}/rediscover`
/** What was discovered. */
const record = `${domain}/discovered`

const recordSchema = z.object({
  uid: z.string(),
  features: z.array(z.string()).min(1),
  rediscover: z.string().nullable(),
})

/**
 * What was found and what is asked for. The annotation tells it, as it is written before the status, and others write into that
 * one, too; where somebody took it away, the status does.
 */
export function before({ metadata, spec, status }: MachineClass): Before {
  const { annotations = {}, uid } = metadata
  const asked = annotations[rediscover] ?? null
  if (spec.cpu.type !== 'Discovery') return { discovered: null, rediscover: asked }
  const features = status?.cpuFeatures?.enabled ?? []
  const told = features.length > 0 ? { features, rediscover: status?.rediscovered ?? null } : null
  return { discovered: recorded(annotations[record], uid) ?? told, rediscover: asked }
}

/**
 * Notes in the resource what was discovered, before anything is said of it: it is to be the same after its status is lost.
 * @throws Refusal CLUSTER_CONFLICT, CLUSTER_NOT_FOUND
 */
export async function remember(
  resource: MachineClass,
  discovered: Discovered | null,
  around: Surroundings,
  signal: AbortSignal,
): Promise<MachineClass> {
  const { annotations = {}, uid } = resource.metadata
  if (!discovered || isSame(recorded(annotations[record], uid), discovered)) return resource
  const { features, rediscover } = discovered
  const value = JSON.stringify({ uid, rediscover, features })
  const fields = { annotations: { [record]: value } }
  return await change(virtualMachineClass, resource, fields, around, signal)
}

/** A class that was made anew, or in another cluster, is another one, whatever was copied with it. */
function recorded(text: string | undefined, uid: string): Discovered | null {
  const { data } = recordSchema.safeParse(parsed(text ?? ''))
  return data?.uid === uid ? { features: data.features, rediscover: data.rediscover } : null
}

function isSame(one: Discovered | null, other: Discovered): boolean {
  return one?.rediscover === other.rediscover && one.features.join() === other.features.join()
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What somebody else wrote there records nothing.
    return undefined
  }
}
