import { z } from 'zod'
import { metadataSchema, type Metadata } from '../../kube/cluster-api.ts'
import { fingerprint, nodeOf, type ClusterNode } from '../../machine/cluster-node.ts'
import { Offers } from '../../machine/offer.ts'

export const nodesPath = '/api/v1/nodes'

/** Nodes of a page; one with hundreds of labels takes some 50 kB. */
export const nodesPage = 100

/** A node, and no more of it than counts: nodes have hundreds of labels, and there are hundreds of nodes. */
export type NodeItem = { readonly metadata: Metadata; readonly node: ClusterNode }

type Labels = { readonly [key: string]: string }

const fields = z.object({
  // The API server has made sure that these are texts, and there are many of them.
  metadata: metadataSchema.extend({ labels: z.custom<Labels>().optional() }),
  spec: z
    .object({
      unschedulable: z.boolean().optional(),
      taints: z
        .array(z.object({ key: z.string(), value: z.string().optional(), effect: z.string() }))
        .optional(),
    })
    .optional(),
  status: z
    .object({
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).optional(),
      allocatable: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
})

/** Nodes that offer the same share it. */
export function nodeSchema(): z.ZodType<NodeItem> {
  const offers = new Offers()
  return fields.transform((read) => {
    const { labels, ...metadata } = read.metadata
    return { metadata, node: nodeOf({ ...read, metadata: { ...metadata, labels } }, offers) }
  })
}

/** Which changes of nodes count. */
export class Fingerprints {
  readonly #known = new Map<string, string>()

  /**
   * @param item null when there is no node of the name any more
   * @param keys the labels that selectors look at
   */
  isNew(name: string, item: NodeItem | null, keys: Iterable<string>): boolean {
    if (!item) return this.#known.delete(name)
    const print = fingerprint(item.node, keys)
    if (this.#known.get(name) === print) return false
    this.#known.set(name, print)
    return true
  }
}
