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
  readonly #known: readonly URL[]

  /** @param urls as in SLIPWAY_PUBLIC_URL and SLIPWAY_INTERNAL_URL, null where there is none */
  constructor(proxies: Proxies, urls: { publicUrl: string | null; internalUrl: string | null }) {
    this.#proxies = proxies
    this.#public = urls.publicUrl === null ? null : new URL(urls.publicUrl)
    const known = [urls.publicUrl, urls.internalUrl]
    this.#known = known.filter((url) => url !== null).map((url) => new URL(url))
  }

  /**
   * A client is sent to where it came from: other names of this service may not reach it from there. A proxy often hides
   * that, and asks for its own upstream.
   */
  of(incoming: Pick<IncomingMessage, 'socket' | 'headers'>): Site {
    const asked = incoming.headers.host?.toLowerCase() ?? ''
    const isHidden = !host.test(asked) || this.#proxies.isBehind(incoming)
    const known = this.#known.find((url) => url.host === asked) ?? (isHidden ? this.#public : null)
    if (known) {
      return { realm: `${known.href.replace(/\/+$/, '')}/token`, service: known.host }
    }
    const service = host.test(asked) ? asked : 'localhost'
    const scheme = this.#proxies.isSecure(incoming) ? 'https' : 'http'
    return { realm: `${scheme}://${service}/token`, service }
  }
}
