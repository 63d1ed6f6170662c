import { z } from 'zod'
import type { Answered, Api } from './api.ts'

const path = '/apis/virtualization.deckhouse.io/v1alpha2/virtualmachineclasses'

const refusal = z.object({
  details: z.object({
    causes: z.array(z.object({ field: z.string(), message: z.string() })),
  }),
})

export const classManifest = (name: string, spec: object, metadata: object = {}) => ({
  apiVersion: 'virtualization.deckhouse.io/v1alpha2',
  kind: 'VirtualMachineClass',
  metadata: { name, ...metadata },
  spec,
})

/** VirtualMachineClasses in a cluster, asked for as JSON. */
export class ClassApi {
  readonly #api: Api

  constructor(api: Api) {
    this.#api = api
  }

  /** What is wrong with a class, `field: message`; nothing is kept. Empty when it would be created. */
  async objections(spec: object, name = 'x'): Promise<string[]> {
    const body = classManifest(name, spec)
    return objectionsOf(await this.#api.ask(`${path}?dryRun=All`, { method: 'POST', body }))
  }

  async create(name: string, spec: object): Promise<void> {
    await this.#api.done(path, { method: 'POST', body: classManifest(name, spec) })
  }

  /** @param subresource such as `/status` @returns as `objections` */
  async patch(name: string, body: object, subresource = ''): Promise<string[]> {
    const type = 'application/merge-patch+json'
    const asked = { method: 'PATCH', type, body } as const
    return objectionsOf(await this.#api.ask(`${path}/${name}${subresource}`, asked))
  }

  async read(name: string): Promise<unknown> {
    return await this.#api.done(`${path}/${name}`)
  }

  async delete(name: string): Promise<void> {
    await this.#api.done(`${path}/${name}`, { method: 'DELETE' })
  }
}

function objectionsOf({ status, body }: Answered): string[] {
  if (status < 300) return []
  const { causes } = refusal.parse(body).details
  return causes.map(({ field, message }) => `${field}: ${withoutValue(message)}`)
}

/** The API server shows a text or a number before what is wrong with it. */
function withoutValue(message: string): string {
  return message.replace(/^Invalid value: (?:"(?:[^"\\]|\\.)*": |-?\d+: )?/, '')
}

/** A definition without rules, patterns and lengths, as an earlier one might be. */
export function loosened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(loosened)
  if (typeof value !== 'object' || value === null) return value
  const strict = new Set(['x-kubernetes-validations', 'pattern', 'minItems', 'minimum'])
  const kept = Object.entries(value).filter(([key]) => !strict.has(key))
  return Object.fromEntries(kept.map(([key, inner]) => [key, loosened(inner)]))
}
