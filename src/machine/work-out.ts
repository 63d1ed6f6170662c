import { isForMachines, mostNodes, type ClusterNode } from './cluster-node.ts'
import { commonFeatures, discover, mostFeatures, noNodes, type Discovered } from './discover.ts'
import { obstacle, type NodeClass } from './node-class.ts'
import type { Offer } from './offer.ts'
import { formatCores, formatQuantity } from './quantity.ts'

/** What is known of a class when its nodes are looked at. */
export type Before = {
  readonly discovered: Discovered | null
  /** The value of the annotation that asks to discover anew; null without one. */
  readonly rediscover: string | null
}

/** What is said of a class by its nodes (vmclass, "What the companion works out"). */
export type WorkedOut = {
  /** Sorted, and at most `mostNodes`. */
  readonly availableNodes: readonly string[]
  readonly cpuFeatures: {
    readonly enabled: readonly string[]
    readonly notEnabledCommon: readonly string[]
  } | null
  readonly maxAllocatableResources: { readonly cpu: string; readonly memory: string } | null
  readonly conditions: readonly Finding[]
  readonly phase: 'Ready' | 'Pending'
  /** What has to be kept, so that the features stay the same. */
  readonly discovered: Discovered | null
}

export type Finding = {
  readonly type: 'Ready' | 'Discovered'
  readonly status: 'True' | 'False'
  readonly reason:
    | 'SuitableNodesFound'
    | 'NoSuitableNodesFound'
    | 'NoCpuFeaturesEnabled'
    | 'DiscoverySucceeded'
    | 'DiscoverySkip'
    | 'DiscoveryFailed'
  readonly message: string
}

/** @param nodes of the cluster; those that bear no labels of CPUs are none for machines */
export function workOut(
  nodeClass: NodeClass,
  nodes: Iterable<ClusterNode>,
  before: Before,
): WorkedOut {
  const forMachines = Array.from(nodes).filter((node) => isForMachines(node))
  if (nodeClass.cpu.type !== 'Discovery') {
    const enabled = nodeClass.cpu.type === 'Features' ? (nodeClass.cpu.features ?? []) : null
    return concluded(nodeClass, forMachines, enabled, [skipped(nodeClass)], null)
  }
  const { found, problem } = discover(nodeClass, forMachines, before.discovered, before.rediscover)
  const enabled = found?.features ?? []
  return concluded(nodeClass, forMachines, enabled, [discoveredOf(enabled, problem)], found)
}

/** @param enabled null where the type of CPU names no features */
function concluded(
  nodeClass: NodeClass,
  nodes: readonly ClusterNode[],
  enabled: readonly string[] | null,
  conditions: readonly Finding[],
  discovered: Discovered | null,
): WorkedOut {
  const isLacking = enabled !== null && enabled.length === 0
  const suited = isLacking ? none(nodes) : suitedOf(nodeClass, nodes, enabled ?? [])
  const ready = isLacking ? withoutFeatures(conditions) : readyOf(suited, nodes.length)
  const { available } = suited
  return {
    availableNodes: available.map(({ name }) => name).slice(0, mostNodes),
    cpuFeatures: enabled && {
      enabled,
      notEnabledCommon: nodeClass.cpu.type === 'Discovery' ? beyond(enabled, available) : [],
    },
    maxAllocatableResources: largest(available),
    conditions: [...conditions, ready],
    phase: ready.status === 'True' ? 'Ready' : 'Pending',
    discovered,
  }
}

type Suited = {
  /** Sorted by name. */
  readonly available: readonly ClusterNode[]
  /** How many nodes do not suit, by the first reason. */
  readonly obstacles: ReadonlyMap<string, number>
}

function none(nodes: readonly ClusterNode[]): Suited {
  return { available: [], obstacles: new Map([['without CPU features', nodes.length]]) }
}

function suitedOf(
  nodeClass: NodeClass,
  nodes: readonly ClusterNode[],
  features: readonly string[],
): Suited {
  const hasFeatures = offering(features)
  const available: ClusterNode[] = []
  const obstacles = new Map<string, number>()
  for (const node of nodes) {
    const reason = obstacle(nodeClass, hasFeatures, node)
    if (reason === null) available.push(node)
    else obstacles.set(reason, (obstacles.get(reason) ?? 0) + 1)
  }
  return { available: available.sort((one, other) => (one.name < other.name ? -1 : 1)), obstacles }
}

/** Thousands of nodes share a few offers, so each of these is looked at once. */
function offering(features: readonly string[]): (offer: Offer) => boolean {
  const known = new Map<Offer, boolean>()
  return (offer) => {
    const has = known.get(offer) ?? features.every((each) => offer.features.has(each))
    known.set(offer, has)
    return has
  }
}

function beyond(enabled: readonly string[], available: readonly ClusterNode[]): string[] {
  const known = new Set(enabled)
  const others = commonFeatures(available).filter((feature) => !known.has(feature))
  return others.slice(0, mostFeatures)
}

/** Each by itself: they need not be of the same node. */
function largest(available: readonly ClusterNode[]): WorkedOut['maxAllocatableResources'] {
  if (available.length === 0) return null
  return {
    cpu: formatCores(most(available.map(({ cpu }) => cpu))),
    memory: formatQuantity(most(available.map(({ memory }) => memory))),
  }
}

function most(amounts: readonly bigint[]): bigint {
  return amounts.reduce((most, amount) => (amount > most ? amount : most), 0n)
}

function readyOf({ available, obstacles }: Suited, all: number): Finding {
  if (available.length > 0) {
    const unnamed = available.length - mostNodes
    const message = unnamed > 0 ? `${unnamed} more node(s) suit than are listed` : ''
    return { type: 'Ready', status: 'True', reason: 'SuitableNodesFound', message }
  }
  const message = all === 0 ? noNodes : `no node suits: ${shownObstacles(obstacles)}`
  return { type: 'Ready', status: 'False', reason: 'NoSuitableNodesFound', message }
}

/** More reasons are not told; taints may give each node one of its own. */
const mostObstacles = 8

function shownObstacles(obstacles: ReadonlyMap<string, number>): string {
  const all = [...obstacles].map(([reason, count]) => `${count} ${reason}`).sort()
  const more = all.length > mostObstacles ? ', …' : ''
  return `${all.slice(0, mostObstacles).join(', ')}${more}`
}

function withoutFeatures(conditions: readonly Finding[]): Finding {
  const message = conditions[0]?.message || 'spec.cpu.features names none'
  return { type: 'Ready', status: 'False', reason: 'NoCpuFeaturesEnabled', message }
}

function skipped({ cpu: { type } }: NodeClass): Finding {
  const message = `CPU features are not discovered for the type ${type}`
  return { type: 'Discovered', status: 'False', reason: 'DiscoverySkip', message }
}

function discoveredOf(enabled: readonly string[], problem: string | null): Finding {
  if (problem === null) {
    return { type: 'Discovered', status: 'True', reason: 'DiscoverySucceeded', message: '' }
  }
  const kept = enabled.length > 0 ? '; what was found before stays' : ''
  const message = `${problem}${kept}`
  return { type: 'Discovered', status: 'False', reason: 'DiscoveryFailed', message }
}
