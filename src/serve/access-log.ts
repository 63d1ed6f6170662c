import type { Log } from '../log.ts'
import { shownPath } from './methods.ts'
import type { Visit } from './traffic.ts'

const reading = new Set(['GET', 'HEAD', 'OPTIONS'])
/** Disks on their way out. */
const pulls = new Set(['/v2/{repository}/blobs/{digest}', '/api/v1/images/{name}/disk'])
/** What clients ask without knowing; a refusal is an answer then. */
const usual = new Set([401, 404, 416, 499])

/**
 * A line for each request: changes, pulls and what went wrong with `info`, with `warn` what this service is to blame for, and
 * what is merely looked at with `debug`, which is most of it.
 */
export function accessLog(log: Log): (left: Visit) => void {
  return (left) => {
    const level = levelOf(left)
    if (log.isLevelEnabled(level)) log[level](facts(left), 'request')
  }
}

function levelOf({ incoming: { method = '' }, route, status }: Visit): 'warn' | 'info' | 'debug' {
  if (status >= 500) return route === '/readyz' ? 'info' : 'warn'
  if (!reading.has(method)) return 'info'
  if (method === 'GET' && pulls.has(route)) return 'info'
  return status < 400 || usual.has(status) ? 'debug' : 'info'
}

/**
 * Paths without their query, which may be a credential, and as they were understood: what stands escaped in them may be one,
 * too. Times in milliseconds, bytes as they crossed the wire.
 */
function facts({ incoming, route, status, milliseconds, received, sent, peer, call }: Visit) {
  const [path = ''] = call ? [call.req.path] : (incoming.url ?? '').split('?')
  return {
    ...(call && { requestId: call.get('requestId') }),
    method: incoming.method,
    route,
    path: shownPath(path),
    status,
    received,
    sent,
    ms: Math.round(milliseconds * 10) / 10,
    caller: call?.get('caller')?.name ?? null,
    address: call?.get('address') ?? peer,
  }
}
