import { nodeOf, type ClusterNode, type NodeFields } from '../../src/machine/cluster-node.ts'
import { Offers } from '../../src/machine/offer.ts'
import type { Taint } from '../../src/machine/taint.ts'

export type NodeShape = {
  readonly features?: readonly string[]
  readonly models?: readonly string[]
  readonly labels?: { readonly [key: string]: string }
  readonly taints?: readonly Taint[]
  readonly isReady?: boolean
  readonly isCordoned?: boolean
  readonly cpu?: string
  readonly memory?: string
  /** Of the labels that tell of the CPU. */
  readonly domain?: string
}

/** A node as the API server has it, with KubeVirt's labels. */
export function nodeObject(name: string, shape: NodeShape = {}): NodeFields {
  const {
    features = [],
    models = [],
    labels = {},
    taints = [],
    domain = 'node.kubevirt.io',
  } = shape
  const ofCpu = [
    ...models.map((model) => [`cpu-model.${domain}/${model}`, 'true'] as const),
    ...features.map((feature) => [`cpu-feature.${domain}/${feature}`, 'true'] as const),
  ]
  return {
    metadata: { name, labels: { ...labels, ...Object.fromEntries(ofCpu) } },
    spec: { unschedulable: shape.isCordoned ?? false, taints },
    status: {
      conditions: [{ type: 'Ready', status: (shape.isReady ?? true) ? 'True' : 'False' }],
      allocatable: { cpu: shape.cpu ?? '8', memory: shape.memory ?? '32Gi' },
    },
  }
}

export function clusterNode(name: string, shape: NodeShape = {}): ClusterNode {
  return nodeOf(nodeObject(name, shape), new Offers())
}

/** Instruction sets of the guide's CPU X, and of the newer CPU Y. */
export const [cpuX, cpuY] = [
  ['sse4', 'avx', 'avx2'],
  ['sse4', 'avx', 'avx2', 'avx512'],
] as const

/** The guide's cluster: two nodes with CPU X, two with CPU Y. */
export const guideNodes: readonly (readonly [name: string, shape: NodeShape])[] = [
  ['blue-1', { features: cpuX, labels: { group: 'blue' }, cpu: '16', memory: '64Gi' }],
  ['blue-2', { features: cpuX, labels: { group: 'blue' }, cpu: '8', memory: '128Gi' }],
  ['green-1', { features: cpuY, labels: { group: 'green' }, cpu: '31900m', memory: '96Gi' }],
  ['green-2', { features: cpuY, labels: { group: 'green' }, cpu: '32', memory: '100Gi' }],
]
