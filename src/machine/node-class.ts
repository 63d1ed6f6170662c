import { isSelected, keysOf, type LabelSelector } from './label-selector.ts'
import { labelsOf, type ClusterNode } from './cluster-node.ts'
import type { Offer } from './offer.ts'
import { untolerated, type Toleration } from './taint.ts'

/** What a VirtualMachineClass says of CPU and nodes (vmclass, the table of fields). */
export type NodeClass = {
  readonly cpu: ClassCpu
  readonly nodeSelector?: LabelSelector | undefined
  readonly tolerations?: readonly Toleration[] | undefined
}

export const cpuTypes = ['Host', 'HostPassthrough', 'Discovery', 'Model', 'Features'] as const

export type ClassCpu = {
  readonly type: (typeof cpuTypes)[number]
  readonly model?: string | undefined
  readonly features?: readonly string[] | undefined
  readonly discovery?: DiscoverySelector | undefined
}

/** The selector itself, or one inside. */
export type DiscoverySelector = LabelSelector & {
  readonly nodeSelector?: LabelSelector | undefined
}

/** Whether the features of a node are looked at when a class discovers them. */
export function isInPool({ cpu: { discovery } }: NodeClass, node: ClusterNode): boolean {
  const labelOf = labelsOf(node)
  return isSelected(discovery, labelOf) && isSelected(discovery?.nodeSelector, labelOf)
}

/** The labels that a class looks at, but for those that tell of the CPU. */
export function keysOfClass({ cpu: { discovery }, nodeSelector }: NodeClass): string[] {
  return [discovery, discovery?.nodeSelector, nodeSelector].flatMap((selector) => keysOf(selector))
}

/**
 * Why no machine of a class may run on a node, in words that follow upon a number of nodes; null when one may.
 * @param hasFeatures whether all that are needed are offered
 */
export function obstacle(
  { cpu, nodeSelector, tolerations }: NodeClass,
  hasFeatures: (offer: Offer) => boolean,
  node: ClusterNode,
): string | null {
  if (!isSelected(nodeSelector, labelsOf(node))) return 'not selected by spec.nodeSelector'
  if (cpu.type === 'Model' && !node.offer.models.has(cpu.model ?? '')) {
    return `without the CPU model ${cpu.model}`
  }
  if (!hasFeatures(node.offer)) return 'without all the CPU features'
  if (!node.isReady) return 'not Ready'
  if (node.isCordoned) return 'cordoned'
  const taint = untolerated(node.taints, tolerations)[0]
  return taint ? `with the taint ${taint.key}:${taint.effect}, which spec.tolerations lacks` : null
}
