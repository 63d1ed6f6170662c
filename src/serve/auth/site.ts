import type { IncomingMessage } from 'node:http'
import type { Proxies } from './client-address.ts'

/** Where this service is, as the one who asks sees it. */
export type Site = {
  /** Where tokens are issued. */
  readonly realm: string
  /** What they are issued for. */
  readonly service: string
}

/** A header is put into a quoted text: whatever is no host is not repeated. */
const host = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/

export class Sites {
  readonly #proxies: Proxies
  readonly #public: URL | null

  /** @param publicUrl as in SLIPWAY_PUBLIC_URL, null when there is none */
  constructor(proxies: Proxies, publicUrl: string | null) {
    this.#proxies = proxies
    this.#public = publicUrl === null ? null : new URL(publicUrl)
  }

  /** A client is sent to where it came from: other names of this service may not reach it from there. */
  of(incoming: Pick<IncomingMessage, 'socket' | 'headers'>): Site {
    const asked = incoming.headers.host?.toLowerCase() ?? ''
    const known = this.#public
    if (known && (asked === known.host || !host.test(asked))) {
      return { realm: `${known.href.replace(/\/+$/, '')}/token`, service: known.host }
    }
    const service = host.test(asked) ? asked : 'localhost'
    const scheme = this.#proxies.isSecure(incoming) ? 'https' : 'http'
    return { realm: `${scheme}://${service}/token`, service }
  }
}
