import type { LabelOf } from './label-selector.ts'
import { isOfCpu, type Offer, type Offers } from './offer.ts'
import { parseQuantity } from './quantity.ts'
import type { Taint } from './taint.ts'

/** Kubernetes is made for clusters of this many nodes; more are counted, and not named. */
export const mostNodes = 5000

/** What counts of a node. */
export type ClusterNode = {
  readonly name: string
  readonly offer: Offer
  /** All that tell nothing of the CPU. */
  readonly labels: { readonly [key: string]: string }
  readonly taints: readonly Taint[]
  readonly isReady: boolean
  readonly isCordoned: boolean
  /** Allocatable, in billionths of a core and of a byte. */
  readonly cpu: bigint
  readonly memory: bigint
}

/** A node, as far as it is read. */
export type NodeFields = {
  readonly metadata: {
    readonly name: string
    readonly labels?: { readonly [key: string]: string } | undefined
  }
  readonly spec?:
    | {
        readonly unschedulable?: boolean | undefined
        readonly taints?: readonly Taint[] | undefined
      }
    | undefined
  readonly status?:
    | {
        readonly conditions?:
          | readonly { readonly type: string; readonly status: string }[]
          | undefined
        readonly allocatable?: { readonly [resource: string]: string } | undefined
      }
    | undefined
}

/** @param offers in which nodes that offer the same share it */
export function nodeOf({ metadata, spec = {}, status = {} }: NodeFields, offers: Offers) {
  const { name, labels = {} } = metadata
  const { conditions = [], allocatable = {} } = status
  const ready = conditions.find(({ type }) => type === 'Ready')
  return {
    name,
    ...sorted(labels, offers),
    taints: spec.taints ?? [],
    isReady: ready?.status === 'True',
    isCordoned: spec.unschedulable ?? false,
    cpu: parseQuantity(allocatable['cpu'] ?? '') ?? 0n,
    memory: parseQuantity(allocatable['memory'] ?? '') ?? 0n,
  } satisfies ClusterNode
}

/** There are hundreds of labels, and thousands of changes a minute: entries of all of them would take most of the time. */
function sorted(labels: { readonly [key: string]: string }, offers: Offers) {
  const ofCpu: string[] = []
  const others: [string, string][] = []
  for (const key of Object.keys(labels)) {
    const value = labels[key] ?? ''
    if (isOfCpu(key, value)) ofCpu.push(key)
    else others.push([key, value])
  }
  return { offer: offers.of(ofCpu), labels: Object.fromEntries(others) }
}

export function labelsOf({ labels, offer }: ClusterNode): LabelOf {
  return (key) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    return value ?? (offer.labels.has(key) ? 'true' : null)
  }
}

/** Whether virtual machines run on it: it bears labels that tell of its CPU. */
export function isForMachines({ offer }: ClusterNode): boolean {
  return offer.models.size > 0 || offer.features.size > 0
}

/**
 * What counts of a node, as a text that changes with it alone. A heartbeat changes nothing, nor does a label that no selector
 * looks at.
 * @param keys the labels that selectors look at
 */
export function fingerprint(node: ClusterNode, keys: Iterable<string>): string {
  const { offer, taints, isReady, isCordoned, cpu, memory } = node
  const labelOf = labelsOf(node)
  const labels = Array.from(keys, (key) => labelOf(key))
  const resources = [String(cpu), String(memory)]
  return JSON.stringify([offer.digest, labels, taints, isReady, isCordoned, resources])
}
