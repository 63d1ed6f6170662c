import type { MiddlewareHandler } from 'hono'
import { Refusal } from '../errors.ts'
import type { Env } from './context.ts'
import { isAllowed } from './cors.ts'

export type GuardOptions = {
  /** Whether only loopback names may be asked for. */
  readonly loopbackOnly: boolean
  /** Whose pages are this service's own, whatever a proxy in between asks for; null for none. */
  readonly publicUrl: string | null
  /** Whose pages may act as if they were. */
  readonly corsOrigins: readonly string[]
}

const loopback = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?$/i
const reading = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Without credentials, being on this machine is what allows everything. A browser on this machine is led here by pages
 * from anywhere: a name that resolves to loopback (DNS rebinding) shows in `Host`, a foreign page in `Origin`. An upload's
 * token is a credential, so its door is not guarded. Where there are credentials any name will do, but a foreign page may
 * still not use those that a browser keeps.
 */
export function guard({
  loopbackOnly,
  publicUrl,
  corsOrigins,
}: GuardOptions): MiddlewareHandler<Env> {
  const own = publicUrl === null ? [] : [new URL(publicUrl).origin]
  // `*` names nobody whom a browser's own credentials could be trusted to.
  const known = [...own, ...corsOrigins.filter((origin) => origin !== '*')]
  return async (c, next) => {
    const host = c.req.header('host') ?? ''
    if (!c.req.path.startsWith('/upload/')) {
      if (loopbackOnly && !loopback.test(host)) throw strangeHost(host)
      const origin = c.req.header('origin')
      const isKnown = origin !== undefined && isAllowed(origin, known)
      if (!reading.has(c.req.method) && !isKnown) refuseForeign(origin, host)
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
