import ipaddr from 'ipaddr.js'
import { covers, parseNetwork, type Address } from './network.ts'

/** Takes the IPv4 address out of the sixteen bytes of an IPv6 address. */
type Reading = (bytes: readonly number[]) => ipaddr.IPv4

const at =
  (...places: readonly number[]): Reading =>
  (bytes) =>
    new ipaddr.IPv4(places.map((place) => bytes[place] ?? 0))

/** Teredo writes the client's address with every bit inverted. */
const invertedAt =
  (...places: readonly number[]): Reading =>
  (bytes) =>
    new ipaddr.IPv4(places.map((place) => 255 - (bytes[place] ?? 0)))

/**
 * Prefixes that carry an IPv4 address:
 *
 *     ::/96              IPv4-compatible   12-15            RFC 4291 section 2.5.5.1
 *     ::ffff:0:0:0/96    IPv4-translated   12-15            RFC 2765 section 2.1
 *     64:ff9b::/96       NAT64             12-15            RFC 6052 section 2.1
 *     64:ff9b:1::/48     local NAT64       by its length    RFC 8215, RFC 6052 section 2.2
 *     2002::/16          6to4              2-5              RFC 3056 section 2
 *     2001::/32          Teredo            4-7, 12-15 inv.  RFC 4380 section 4
 */
const carriers: readonly (readonly [string, ...Reading[]])[] = [
  ['::/96', at(12, 13, 14, 15)],
  ['::ffff:0:0:0/96', at(12, 13, 14, 15)],
  ['64:ff9b::/96', at(12, 13, 14, 15)],
  ['2002::/16', at(2, 3, 4, 5)],
  ['2001::/32', at(4, 5, 6, 7), invertedAt(12, 13, 14, 15)],
]
const networks = carriers.map(([range, ...readings]) => ({
  network: parseNetwork(range),
  readings,
}))

/** The site chooses where in 64:ff9b:1::/48 its prefix ends; behind the address all bytes are zero. */
const localNat64 = parseNetwork('64:ff9b:1::/48')
const localReadings: readonly { readonly end: number; readonly read: Reading }[] = [
  { end: 11, read: at(6, 7, 9, 10) },
  { end: 12, read: at(7, 9, 10, 11) },
  { end: 13, read: at(9, 10, 11, 12) },
  { end: 16, read: at(12, 13, 14, 15) },
]

/** IPv4 addresses that packets for this address may end at; empty when it carries none. */
export function embedded(address: Address): readonly ipaddr.IPv4[] {
  if (!(address instanceof ipaddr.IPv6) || isPlain(address)) return []
  const bytes = address.toByteArray()
  if (covers(localNat64, address)) return readLocally(bytes)
  const carrier = networks.find(({ network }) => covers(network, address))
  return carrier ? carrier.readings.map((read) => read(bytes)) : []
}

/** `::` and `::1` lie in ::/96 and carry nothing. */
function isPlain(address: ipaddr.IPv6): boolean {
  return address.parts.every((part, index) => part === 0 || (index === 7 && part === 1))
}

/** Every reading that RFC 6052 allows. One in 0.0.0.0/8 beside another only says that the prefix is a shorter one. */
function readLocally(bytes: readonly number[]): readonly ipaddr.IPv4[] {
  const readings = localReadings
    .filter(({ end }) => bytes.slice(end).every((byte) => byte === 0))
    .map(({ read }) => read(bytes))
  const real = readings.filter((reading) => reading.octets[0] !== 0)
  return real.length > 0 ? real : readings
}
