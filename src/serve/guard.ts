import type { MiddlewareHandler } from 'hono'
import { Refusal } from '../errors.ts'
import type { Env } from './context.ts'

const loopback = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?$/i
const reading = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Without credentials, being on this machine is what allows everything. A browser on this machine is led here by pages
 * from anywhere: a name that resolves to loopback (DNS rebinding) shows in `Host`, a foreign page in `Origin`. An upload's
 * token is a credential, so its door is not guarded. Where there are credentials any name will do, but a foreign page may
 * still not use those that a browser keeps.
 * @param loopbackOnly whether only loopback names may be asked for
 * @param publicUrl whose pages are this service's own, whatever a proxy in between asks for; null for none
 */
export function guard(
  loopbackOnly: boolean,
  publicUrl: string | null = null,
): MiddlewareHandler<Env> {
  const own = publicUrl === null ? null : new URL(publicUrl).origin
  return async (c, next) => {
    const host = c.req.header('host') ?? ''
    if (!c.req.path.startsWith('/upload/')) {
      if (loopbackOnly && !loopback.test(host)) throw strangeHost(host)
      const origin = c.req.header('origin')
      if (!reading.has(c.req.method) && origin !== own) refuseForeign(origin, host)
    }
    await next()
  }
}

function refuseForeign(origin: string | undefined, host: string): void {
  if (origin === undefined || URL.parse(origin)?.host === host.toLowerCase()) return
  throw new Refusal('HOST_FORBIDDEN', `pages of ${origin} may not change anything here`)
}

function strangeHost(host: string): Refusal {
  return new Refusal(
    'HOST_FORBIDDEN',
    `without credentials this service answers to loopback names only, not to "${host}"; ask for 127.0.0.1 or localhost, or start it with SLIPWAY_AUTH=none`,
  )
}
