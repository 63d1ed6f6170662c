import { request as ask } from 'node:http'
import { isIPv6, type Socket } from 'node:net'
import { buildConnector } from 'undici'
import { bareHost, forbidden, judgeUnresolved } from './address.ts'
import { connectFailure } from './breaks.ts'
import type { DialOptions } from './dial.ts'
import { proxyHeaders, type Proxy } from './proxies.ts'
import { brokenProxy, refusedTunnel, silentProxy, unreachableProxy } from './proxy-breaks.ts'
import { serverName, socketOf, type Target } from './sockets.ts'

/**
 * Connects by way of a proxy: for https to the source's own TLS, inside a tunnel (RFC 9110 section 9.3.6); for http to the
 * proxy, which is then asked for the whole URL. The proxy resolves, so only the host is judged; the proxy's own address
 * is the administrator's word.
 * @throws Refusal SOURCE_FORBIDDEN, SOURCE_REFUSED; Outage SOURCE_UNAVAILABLE; the reason of an abort
 */
export async function throughProxy(
  target: Target,
  proxy: Proxy,
  options: DialOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const verdict = judgeUnresolved(target.hostname, options.rules)
  if (verdict.answer === 'refused') throw forbidden(verdict)
  const line = await connectTo(proxy, options, signal)
  if (target.protocol === 'http:') return line
  const tunnel = await openTunnel(line, target, proxy, options, signal)
  return await secure(tunnel, target, options, signal)
}

/** What the source is trusted by says nothing about the proxy. */
async function connectTo(
  proxy: Proxy,
  { connector, timeout }: DialOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const connect = connector ?? buildConnector({ allowH2: false, timeout, signal })
  const { protocol, port } = proxy.url
  const hostname = bareHost(proxy.url.hostname)
  try {
    const target = { protocol, port, hostname, ...serverName({ protocol, hostname }) }
    const line = await socketOf(target, connect)
    // Between two readers a socket must not stop the process when it breaks.
    return line.on('error', () => undefined)
  } catch (error) {
    signal.throwIfAborted()
    throw unreachableProxy(error, proxy, timeout)
  }
}

/** @throws Refusal SOURCE_REFUSED; Outage SOURCE_UNAVAILABLE; the reason of an abort */
async function openTunnel(
  line: Socket,
  target: Target,
  proxy: Proxy,
  { timeout }: DialOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const host = bareHost(target.hostname)
  const authority = `${isIPv6(host) ? `[${host}]` : host}:${target.port || 443}`
  const limited = AbortSignal.any([signal, AbortSignal.timeout(timeout)])
  const status = await statusOf(line, authority, proxy, limited).catch((error: unknown) => {
    line.destroy()
    signal.throwIfAborted()
    throw limited.aborted ? silentProxy(proxy, timeout) : brokenProxy(error, proxy)
  })
  if (status >= 200 && status < 300) return line
  line.destroy()
  throw refusedTunnel(status, authority, proxy)
}

/** The status that a proxy answers CONNECT with. */
function statusOf(
  line: Socket,
  authority: string,
  proxy: Proxy,
  signal: AbortSignal,
): Promise<number> {
  const request = ask({
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...proxyHeaders(proxy) },
    createConnection: () => line,
    signal,
  })
  return new Promise((fulfil, reject) => {
    request.on('error', reject).on('connect', ({ statusCode = 0 }, _, head) => {
      if (head.length > 0) line.unshift(head)
      fulfil(statusCode)
    })
    request.end()
  })
}

async function secure(
  tunnel: Socket,
  target: Target,
  { connector, trust, timeout }: DialOptions,
  signal: AbortSignal,
): Promise<Socket> {
  const connect = connector ?? buildConnector({ ...trust, allowH2: false, timeout, signal })
  const hostname = bareHost(target.hostname)
  const inside = { ...target, hostname, httpSocket: tunnel }
  try {
    return await socketOf({ ...inside, ...serverName(inside) }, connect)
  } catch (error) {
    tunnel.destroy()
    signal.throwIfAborted()
    throw connectFailure(error, hostname, timeout)
  }
}
