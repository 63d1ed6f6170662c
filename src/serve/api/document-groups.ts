import type {
  ZodOpenApiOperationObject,
  ZodOpenApiPathItemObject,
  ZodOpenApiPathsObject,
} from 'zod-openapi'

/** Calls that belong together: a tag of the document. */
export type Group = {
  readonly name: string
  readonly description: string
  readonly paths: ZodOpenApiPathsObject
}

const methods = ['get', 'head', 'options', 'post', 'put', 'patch', 'delete'] as const
/** What a caller without credentials needs, too, where some are configured. */
const anyone = 'nothing'
/** Without credentials configured, none are asked for. */
const guarded = [{ token: [] }, { password: [] }, {}]

/** The paths of a group, each operation with its tag, and with what its caller needs in `x-needs`. */
export function grouped({ name, paths }: Group): ZodOpenApiPathsObject {
  const items = Object.entries(paths).map(([path, item]) => [path, tagged(item, name)])
  return Object.fromEntries(items)
}

function tagged(item: ZodOpenApiPathItemObject, tag: string): ZodOpenApiPathItemObject {
  const operations = methods.flatMap((method) => {
    const operation = item[method]
    return operation ? [[method, completed(operation, method, tag)]] : []
  })
  return { ...item, ...Object.fromEntries(operations) }
}

function completed(
  operation: ZodOpenApiOperationObject,
  method: (typeof methods)[number],
  tag: string,
): ZodOpenApiOperationObject {
  const isOpen = operation.security?.length === 0
  const role = method === 'get' || method === 'head' ? 'viewer' : 'editor'
  const needs = isOpen ? anyone : role
  return { security: guarded, 'x-needs': needs, ...operation, tags: [tag] }
}
