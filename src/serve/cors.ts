import type { MiddlewareHandler } from 'hono'
import type { Env } from './context.ts'

const exposed = [
  'ETag',
  'Location',
  'Retry-After',
  'Tus-Checksum-Algorithm',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Resumable',
  'Tus-Version',
  'Upload-Complete',
  'Upload-Expires',
  'Upload-Length',
  'Upload-Limit',
  'Upload-Offset',
  'X-Request-Id',
].join(', ')

const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'
/** How long a browser need not ask again, in seconds: Chromium's own limit. */
const maxAge = '7200'

/**
 * Lets pages of other origins use uploads and the API (Fetch, "CORS protocol"). No cookies are ever used here, so
 * credentials are not offered; a page sends its token itself.
 * @param origins `*` for all
 */
export function cors(origins: readonly string[]): MiddlewareHandler<Env> {
  return async (c, next) => {
    const origin = c.req.header('origin')
    const { outgoing } = c.env
    if (!/^\/(?:upload|api)\//.test(c.req.path) || origins.length === 0) return await next()
    outgoing.appendHeader('vary', 'Origin')
    if (origin === undefined || !isAllowed(origin, origins)) return await next()
    outgoing.setHeader('access-control-allow-origin', origin)
    outgoing.setHeader('access-control-expose-headers', exposed)
    if (c.req.method !== 'OPTIONS') return await next()
    outgoing.setHeader('access-control-allow-methods', methods)
    outgoing.setHeader('access-control-max-age', maxAge)
    const wanted = c.req.header('access-control-request-headers')
    if (wanted !== undefined) outgoing.setHeader('access-control-allow-headers', wanted)
    // Whoever answers OPTIONS here by itself has more to tell.
    if (c.req.path.startsWith('/upload/')) return await next()
    return c.body(null, 204)
  }
}

/** Whether pages of an origin may use the API and uploads. */
export function isAllowed(origin: string, origins: readonly string[]): boolean {
  return origins.includes('*') || origins.includes(origin.toLowerCase())
}
