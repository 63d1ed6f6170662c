/** Whatever is no route of this service. */
export const unknownRoute = 'unknown'
/** What could not be read as a request. */
export const unreadable = 'unreadable'

const fixed = new Set([
  '/',
  '/healthz',
  '/readyz',
  '/metrics',
  '/openapi.json',
  '/docs',
  '/token',
  '/v2',
  '/v2/',
  '/v2/_catalog',
  '/api/v1/images',
  '/api/v1/events',
  '/api/v1/probe',
  '/api/v1/caller',
  '/api/v1/subscribers',
  '/api/v1/storage',
  '/api/v1/storage/shares',
  '/api/v1/storage/gc',
  '/api/v1/storage/scrub',
  '/api/v1/storage/runs',
  '/api/v1/virtual-machine-classes/evaluate',
])

const patterns: readonly (readonly [RegExp, string])[] = [
  [/^\/upload\/[^/]+$/, '/upload/{token}'],
  [/^\/api\/v1\/images\/[^/]+$/, '/api/v1/images/{name}'],
  [/^\/api\/v1\/images\/[^/]+\/disk$/, '/api/v1/images/{name}/disk'],
  [/^\/api\/v1\/images\/[^/]+\/events$/, '/api/v1/images/{name}/events'],
  [/^\/api\/v1\/images\/[^/]+\/retry$/, '/api/v1/images/{name}/retry'],
  [/^\/api\/v1\/storage\/runs\/[^/]+$/, '/api/v1/storage/runs/{id}'],
  [/^\/api\/v1\/subscribers\/[^/]+\/undelivered$/, '/api/v1/subscribers/{name}/undelivered'],
  [/^\/api\/v1\/subscribers\/[^/]+\/redeliver$/, '/api/v1/subscribers/{name}/redeliver'],
  [/^\/api\/v1\/subscribers\/[^/]+\/ping$/, '/api/v1/subscribers/{name}/ping'],
  [/^\/assets\/[^/]+\/.+$/, '/assets/{version}/{path}'],
]

/** The template of a request's path, for metrics, logs and traces: one of a fixed set, whatever anybody asks for. */
export function routeOf(url: string): string {
  const end = url.indexOf('?')
  const path = end === -1 ? url : url.slice(0, end)
  if (fixed.has(path)) return path
  if (path.startsWith('/v2/')) return registryRoute(path)
  return patterns.find(([pattern]) => pattern.test(path))?.[1] ?? unknownRoute
}

const named: { readonly [parent: string]: string } = {
  manifests: '/v2/{repository}/manifests/{reference}',
  blobs: '/v2/{repository}/blobs/{digest}',
  referrers: '/v2/{repository}/referrers/{digest}',
}
const uploads = '/v2/{repository}/blobs/uploads/'

/** Repository names hold slashes, so the path is taken apart from its end. */
function registryRoute(path: string): string {
  if (path.endsWith('/blobs/uploads/') || path.endsWith('/blobs/uploads')) return uploads
  if (path.endsWith('/tags/list')) return '/v2/{repository}/tags/list'
  const last = path.lastIndexOf('/')
  const before = path.lastIndexOf('/', last - 1)
  const parent = path.slice(before + 1, last)
  if (parent === 'uploads' && path.slice(0, before).endsWith('/blobs')) return `${uploads}{session}`
  return named[parent] ?? unknownRoute
}

const methods = new Set(['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'])

/** One of a fixed set, too. */
export function methodOf(method: string | undefined): string {
  return method !== undefined && methods.has(method) ? method : 'other'
}

/** Whether an answer goes on until the client has heard enough. */
export function isEndless(route: string): boolean {
  return route === '/api/v1/events' || route === '/api/v1/images/{name}/events'
}
