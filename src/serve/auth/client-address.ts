import type { IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'

/** CIDRs whose word about clients is believed (`SLIPWAY_TRUSTED_PROXIES`). */
export class Proxies {
  readonly #networks: readonly (readonly [ipaddr.IPv4 | ipaddr.IPv6, number])[]

  constructor(networks: readonly string[]) {
    this.#networks = networks.map((network) => ipaddr.parseCIDR(network))
  }

  /**
   * Who asks: the peer, or what trusted proxies say. Each of them adds the address it was asked from at the right end of
   * `X-Forwarded-For`; what stands to the left of the first address that is none of theirs may be made up.
   */
  addressOf({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): string {
    let address = parsed(socket.remoteAddress ?? '')
    for (const hop of hopsOf(headers['x-forwarded-for'])) {
      if (!address || !this.#trusts(address)) break
      const next = parsed(hop)
      if (!next) break
      address = next
    }
    return address?.toString() ?? 'an unknown address'
  }

  /** Whether the client speaks HTTPS, to this service or to a trusted proxy before it. */
  isSecure({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>): boolean {
    if ('encrypted' in socket && socket.encrypted === true) return true
    const peer = parsed(socket.remoteAddress ?? '')
    if (!peer || !this.#trusts(peer)) return false
    const told = [headers['x-forwarded-proto'] ?? ''].flat().join()
    return told.split(',')[0]?.trim().toLowerCase() === 'https'
  }

  /** Whether what is behind the connection is told by a proxy that is believed. */
  isBehind({ socket }: Pick<IncomingMessage, 'socket'>): boolean {
    const peer = parsed(socket.remoteAddress ?? '')
    return peer !== null && this.#trusts(peer)
  }

  #trusts(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
    return this.#networks.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    )
  }
}

/** From right to left. */
function hopsOf(header: string | readonly string[] | undefined): readonly string[] {
  return [header ?? []]
    .flat()
    .join()
    .split(',')
    .map((hop) => hop.trim())
    .toReversed()
}

/** An IPv4 address that came as IPv6 is that IPv4 address; ports and brackets, which some proxies add, are left out. */
function parsed(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const bare = /^\[(.+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : null
}

/** Whom failures are counted for: an IPv4 address, or the /64 that a single IPv6 customer has at least. */
export function countedAs(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.parse(address)
  if (!(parsed instanceof ipaddr.IPv6)) return address
  return `${parsed.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`
}
