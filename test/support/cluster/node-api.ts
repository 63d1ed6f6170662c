import { nodeObject, type NodeShape } from '../cluster-nodes.ts'
import type { Api } from './api.ts'

const path = '/api/v1/nodes'
const merge = { method: 'PATCH', type: 'application/merge-patch+json' } as const

/** Nodes as API objects, without machines: what kubelets and KubeVirt would write is written by the test. */
export class NodeApi {
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  /** The API server takes every new node for one that is not ready yet, and taints it: that is taken away. */
  async create(name: string, shape: NodeShape = {}): Promise<void> {
    const { metadata, spec, status } = nodeObject(name, shape)
    const body = { apiVersion: 'v1', kind: 'Node', metadata, spec: {} }
    await this.#api.done(path, { method: 'POST', body })
    await this.#api.done(`${path}/${name}/status`, { ...merge, body: { status } })
    await this.change(name, { spec })
  }

  /** A merge patch. @param subresource such as `/status` */
  async change(name: string, body: object, subresource = ''): Promise<void> {
    await this.#api.done(`${path}/${name}${subresource}`, { ...merge, body })
  }

  async delete(name: string): Promise<void> {
    await this.#api.done(`${path}/${name}`, { method: 'DELETE' })
  }
}
