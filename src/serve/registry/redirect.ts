import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Linker, Stat } from '../../store/store.ts'
import type { Call } from '../context.ts'

/** Blobs that clients fetch from where they lie. */
export type Redirection = {
  readonly linker: Linker
  /**
   * `auto`: only where the client takes the endpoint for another host, so that it does not send its credentials on, which an
   * object store refuses beside those of the URL.
   */
  readonly mode: 'auto' | 'always'
}

/** A node that waits for its turn begins within this time; what has begun goes on to its end. In milliseconds. */
const linkFor = 20 * 60_000

/**
 * Sends a client on to the bytes of a blob (registry.md, "What the peers get wrong"). Several ranges and conditions on the
 * service's own ETag are answered here: an object store knows neither.
 * @returns null when the blob has to be answered here
 */
export async function redirect(
  c: Call,
  blob: Stat,
  headers: { readonly [name: string]: string },
  { linker, mode }: Redirection,
): Promise<Response | null> {
  if (c.req.method !== 'GET' || isForUs(c)) return null
  const url = await linker.link(blob, linkFor, c.req.raw.signal)
  if (!url || (mode === 'auto' && isOwnHost(c, url))) return null
  c.env.outgoing.writeHead(307, { ...headers, location: url.href, 'content-length': '0' }).end()
  return RESPONSE_ALREADY_SENT
}

function isForUs(c: Call): boolean {
  const conditional = c.req.header('if-range') ?? c.req.header('if-none-match')
  return conditional !== undefined || (c.req.header('range') ?? '').includes(',')
}

function isOwnHost(c: Call, { hostname }: URL): boolean {
  return URL.parse(`http://${c.req.header('host')}`)?.hostname === hostname
}
