import { readFile } from 'node:fs/promises'
import { z } from 'zod'

/** Each request is written down when it is received, before it is answered, and again with its answer. */
export const auditPolicy = JSON.stringify({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  rules: [{ level: 'Metadata' }],
})

const entrySchema = z.object({
  auditID: z.string(),
  stage: z.string(),
  verb: z.string(),
  requestReceivedTimestamp: z.string(),
  stageTimestamp: z.string(),
  requestURI: z.string(),
  user: z.object({ username: z.string().optional() }),
  userAgent: z.string().optional(),
  objectRef: z
    .object({
      apiGroup: z.string().optional(),
      resource: z.string().optional(),
      subresource: z.string().optional(),
      namespace: z.string().optional(),
      name: z.string().optional(),
    })
    .optional(),
  responseStatus: z.object({ code: z.int().optional() }).optional(),
})

/** One request to the API server. */
export type Request = {
  readonly user: string
  readonly agent: string
  /** As RBAC names it: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`. */
  readonly verb: string
  /** Path and query. */
  readonly uri: string
  /** Empty for the core group, and where there is no resource. */
  readonly group: string
  /** With its subresource, as RBAC names it: `clustervirtualimages/status`; null for paths such as `/readyz`. */
  readonly resource: string | null
  readonly namespace: string | null
  readonly name: string | null
  /** Null until it is answered; that of a watch is known when it begins. */
  readonly code: number | null
  /** As ISO 8601 has it, in UTC; the end is null until it is answered to the end. */
  readonly began: string
  readonly ended: string | null
}

/** All requests in the file, in the order in which they came. */
export async function readAudit(file: string): Promise<readonly Request[]> {
  const text = await readFile(file, 'utf8')
  const requests = new Map<string, Request>()
  // Behind the last line end is one that is being written.
  for (const line of text.split('\n').slice(0, -1)) {
    const entry = entrySchema.parse(JSON.parse(line))
    requests.set(entry.auditID, requestOf(entry))
  }
  return [...requests.values()]
}

function requestOf(entry: z.output<typeof entrySchema>): Request {
  const { resource, subresource, apiGroup, namespace, name } = entry.objectRef ?? {}
  return {
    user: entry.user.username ?? '',
    agent: entry.userAgent ?? '',
    verb: entry.verb,
    uri: entry.requestURI,
    group: apiGroup ?? '',
    resource:
      resource === undefined ? null : [resource, ...(subresource ? [subresource] : [])].join('/'),
    namespace: namespace ?? null,
    name: name ?? null,
    code: entry.responseStatus?.code ?? null,
    began: entry.requestReceivedTimestamp,
    ended: entry.stage === 'ResponseComplete' ? entry.stageTimestamp : null,
  }
}
