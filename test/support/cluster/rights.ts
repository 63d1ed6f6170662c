import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import { z } from 'zod'
import type { Request } from './audit.ts'
import { deploy } from './deployment.ts'

/** One verb on one resource, in one namespace, or in all of them and none: null. */
export type Right = {
  readonly role: string
  readonly namespace: string | null
  readonly group: string
  readonly resource: string
  readonly verb: string
  /** Those it is limited to; null for all. */
  readonly names: readonly string[] | null
}

const roleSchema = z.object({
  kind: z.enum(['Role', 'ClusterRole']),
  metadata: z.object({ name: z.string(), namespace: z.string().optional() }),
  rules: z.array(
    z.object({
      apiGroups: z.array(z.string()),
      resources: z.array(z.string()),
      verbs: z.array(z.string()),
      resourceNames: z.array(z.string()).optional(),
    }),
  ),
})

/** All that the roles in a file of `deploy/rbac` give. */
export function rightsIn(file: string): readonly Right[] {
  const documents = loadAll(readFileSync(join(deploy, 'rbac', file), 'utf8'))
  const roles = documents.flatMap((document) => roleSchema.safeParse(document).data ?? [])
  return roles.flatMap(({ metadata, rules }) =>
    rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
      pairs(apiGroups, pairs(resources, verbs)).map(([group, [resource, verb]]) => ({
        role: metadata.name,
        namespace: metadata.namespace ?? null,
        group,
        resource,
        verb,
        names: resourceNames ?? null,
      })),
    ),
  )
}

function pairs<A, B>(some: readonly A[], others: readonly B[]): (readonly [A, B])[] {
  return some.flatMap((one) => others.map((other) => [one, other] as const))
}

export function covers(right: Right, asked: Request): boolean {
  const isThat = (['group', 'resource', 'verb'] as const).every(
    (each) => right[each] === asked[each],
  )
  const isThere = right.namespace === null || right.namespace === asked.namespace
  return isThat && isThere && (right.names?.includes(asked.name ?? '') ?? true)
}
