import { isInPool, type NodeClass } from './node-class.ts'
import type { ClusterNode } from './cluster-node.ts'

/** What a class of the type Discovery has found. It stays so until it is asked for anew. */
export type Discovered = {
  /** Sorted. */
  readonly features: readonly string[]
  /** The value of the annotation that asked for it; null without one. */
  readonly rediscover: string | null
}

export type Discovery = {
  readonly found: Discovered | null
  /** Why there is nothing that was not found before; null when it was found. */
  readonly problem: string | null
}

/** More are not written into a status; a list that is cut short asks less of nodes. */
export const mostFeatures = 1000

/**
 * What is found already, or the features that all nodes of the pool have. A new value of the annotation asks for it anew, and
 * the same one after it was taken away; as long as nothing is found then, what was found before stays.
 * @param asked the value of the annotation `rediscover`
 */
export function discover(
  nodeClass: NodeClass,
  nodes: readonly ClusterNode[],
  before: Discovered | null,
  asked: string | null,
): Discovery {
  const isAskedAnew = asked !== null && asked !== before?.rediscover
  if (before && !isAskedAnew) return { found: unasked(before, asked), problem: null }
  const pool = nodes.filter((node) => isInPool(nodeClass, node))
  const features = commonFeatures(pool).slice(0, mostFeatures)
  if (features.length > 0) return { found: { features, rediscover: asked }, problem: null }
  return { found: before, problem: problemOf(pool.length, nodes.length) }
}

/** Whoever takes the annotation away may ask with the same value once more. */
function unasked(found: Discovered, asked: string | null): Discovered {
  return asked === found.rediscover ? found : { ...found, rediscover: asked }
}

/** Sorted; none of no nodes. */
export function commonFeatures(nodes: readonly ClusterNode[]): string[] {
  const [first = new Set<string>(), ...others] = new Set(nodes.map(({ offer }) => offer.features))
  let common = [...first]
  for (const each of others) common = common.filter((feature) => each.has(feature))
  return common.sort()
}

function problemOf(inPool: number, all: number): string {
  if (all === 0) return noNodes
  return inPool === 0
    ? `none of ${all} node(s) is selected by spec.cpu.discovery`
    : `the ${inPool} node(s) that spec.cpu.discovery selects have no CPU feature in common`
}

export const noNodes =
  'no node bears the labels of CPU models and features that KubeVirt sets (cpu-feature.node.kubevirt.io/…)'
