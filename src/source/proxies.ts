import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { bareHost } from './address.ts'
import { covers, parseAddress, parseNetwork } from './network.ts'
import { userInfo, withoutUserInfo } from './request.ts'

/** What an administrator says: proxies as http or https URLs, and what is reached without them. */
export type ProxyPolicy = {
  readonly http: string | null
  readonly https: string | null
  readonly except: readonly string[]
}

export type Proxy = {
  /** Without credentials. */
  readonly url: URL
  /** Host and port, for messages. */
  readonly name: string
  /** For its own eyes; null without credentials. */
  readonly authorization: string | null
}

export type Proxies = {
  readonly http: Proxy | null
  readonly https: Proxy | null
  readonly exceptions: readonly Exception[]
}

type Exception = {
  /** Null for any. */
  readonly port: number | null
  readonly covers: (host: string) => boolean
}

/** Where a connection is to lead, in the terms of a URL. */
type Target = {
  readonly protocol: string
  readonly hostname: string
  readonly port?: string
}

export const noProxies: Proxies = { http: null, https: null, exceptions: [] }

/** The proxies of a policy whose entries the environment has checked. As in undici, one for http does for https, too. */
export function compileProxies({ http, https, except }: ProxyPolicy): Proxies {
  const forHttp = http === null ? null : proxyAt(http)
  return {
    http: forHttp,
    https: https === null ? forHttp : proxyAt(https),
    exceptions: except.map(exception),
  }
}

/** The proxy on the way to a source, null when there is none. */
export function proxyFor(target: Target, proxies: Proxies): Proxy | null {
  const proxy = target.protocol === 'https:' ? proxies.https : proxies.http
  if (!proxy) return null
  const host = bareHost(target.hostname).replace(/\.$/, '')
  const port = Number(target.port || (target.protocol === 'https:' ? 443 : 80))
  const isExcepted = proxies.exceptions.some(
    (exception) => (exception.port ?? port) === port && exception.covers(host),
  )
  return isExcepted ? null : proxy
}

/** What the proxy is shown. */
export function proxyHeaders({ authorization }: Proxy): Readonly<Record<string, string>> {
  return authorization === null ? {} : { 'proxy-authorization': authorization }
}

function proxyAt(text: string): Proxy {
  const url = new URL(text)
  return { url: withoutUserInfo(url), name: url.host, authorization: userInfo(url) }
}

/** `example.com`, `.example.com`, `*.example.com`, `*`, an address, a CIDR; each but the last with an optional port. */
function exception(text: string): Exception {
  const [, host = text, port] = /^(\[[^\]]*\]|[^:]+)(?::(\d+))?$/.exec(text) ?? []
  return { port: port === undefined ? null : Number(port), covers: coverage(bareHost(host)) }
}

function coverage(pattern: string): Exception['covers'] {
  if (pattern === '*') return () => true
  if (isIP(pattern) || ipaddr.isValidCIDR(pattern)) return coverageOf(parseNetwork(pattern))
  const name = pattern.replace(/^\*?\./, '').replace(/\.$/, '')
  return (host) => {
    // A `*` stands for names below the domain alone, and nothing lies below a number of an address.
    if (host === name) return !pattern.startsWith('*')
    return host.endsWith(`.${name}`) && parseAddress(host) === null
  }
}

function coverageOf(network: ReturnType<typeof parseNetwork>): Exception['covers'] {
  return (host) => {
    const address = parseAddress(host)
    return address !== null && covers(network, address)
  }
}
