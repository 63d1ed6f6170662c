import ipaddr from 'ipaddr.js'

export type Address = ipaddr.IPv4 | ipaddr.IPv6
export type Network = { readonly base: Address; readonly bits: number }

/**
 * An address as it is judged: without its zone (`fe80::1%eth0`), and as IPv4 when it is an IPv4-mapped one (RFC 4291
 * section 2.5.5.2), which is how the operating system connects to it. Null when the text is no address.
 */
export function parseAddress(text: string): Address | null {
  const bare = text.split('%', 1)[0] ?? ''
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : null
}

/** `10.0.0.0/8`, or a single address. A mapped network (`::ffff:10.0.0.0/104`) is the IPv4 network inside. */
export function parseNetwork(text: string): Network {
  if (!text.includes('/')) return single(ipaddr.process(text.split('%', 1)[0] ?? ''))
  const [base, bits] = ipaddr.parseCIDR(text)
  if (base instanceof ipaddr.IPv6 && base.isIPv4MappedAddress() && bits >= 96) {
    return { base: base.toIPv4Address(), bits: bits - 96 }
  }
  return { base, bits }
}

export function covers(network: Network, address: Address): boolean {
  return network.base.kind() === address.kind() && address.match([network.base, network.bits])
}

/** The network of one address alone: /32 or /128. */
export function single(base: Address): Network {
  return { base, bits: base.toByteArray().length * 8 }
}
