import { untraced, type Traces } from '../traces.ts'
import type { Call } from './context.ts'
import { shownPath } from './methods.ts'
import { methodOf, routeOf } from './route.ts'

/** Asked so often, and so much alike, that nobody wants to see each time. */
const untold = new Set(['/healthz', '/readyz', '/metrics'])

/** Makes each request a span, below the one that the client tells of (semantic conventions, "HTTP server"). */
export function traced(traces: Traces) {
  if (traces === untraced) return (_: Call, next: () => Promise<void>) => next()
  return async (c: Call, next: () => Promise<void>): Promise<void> => {
    const route = routeOf(c.req.path)
    if (untold.has(route)) return await next()
    const method = methodOf(c.req.method)
    const named = { name: `${method} ${route}`, kind: 'server' as const }
    const headers = c.req.header()
    await traces.within({ ...named, headers, attributes: asked(c, route) }, async (span) => {
      await next()
      const status = statusOf(c)
      span.set({ 'http.response.status_code': status })
      if (status >= 500) span.fail(String(status))
    })
  }
}

function asked(c: Call, route: string) {
  const { protocol, hostname } = new URL(c.req.url)
  return {
    'http.request.method': c.req.method,
    'http.route': route,
    'url.scheme': protocol.slice(0, -1),
    'url.path': shownPath(c.req.path),
    'server.address': hostname,
    'slipway.request_id': c.get('requestId'),
  }
}

/** Bytes are answered on the raw response. */
function statusOf(c: Call): number {
  const { headersSent, statusCode } = c.env.outgoing
  return headersSent ? statusCode : c.res.status
}
