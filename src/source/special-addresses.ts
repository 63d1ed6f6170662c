/**
 * What the registries say about address ranges, as far as an import is concerned (IANA IPv4 and IPv6 Special-Purpose
 * Address Registries, IPv6 Address Space). The longest range that covers an address speaks for it, so `no` reopens a
 * part of a refused range.
 */
export type Special = {
  readonly range: string
  /** Begins the sentence "… addresses are refused". */
  readonly kind: string
  readonly refused: 'always' | 'unless allowed' | 'no'
}

const rows =
  (kind: string, refused: Special['refused']) =>
  (...ranges: readonly string[]): readonly Special[] =>
    ranges.map((range) => ({ range, kind, refused }))

export const specialAddresses: readonly Special[] = [
  rows('unspecified', 'always')('0.0.0.0/8', '::/128'),
  rows('broadcast', 'always')('255.255.255.255/32'),
  rows('multicast', 'always')('224.0.0.0/4', 'ff00::/8'),
  rows('documentation', 'always')(
    '192.0.2.0/24',
    '198.51.100.0/24',
    '203.0.113.0/24',
    '2001:db8::/32',
    '3fff::/20',
  ),
  rows('discard-only', 'always')('100::/64'),
  // RFC 6890 (protocol assignments), RFC 7526 (the retired 6to4 relay), RFC 1112 section 4 (class E).
  rows('reserved', 'always')('192.0.0.0/24', '192.88.99.0/24', '240.0.0.0/4', '::/0'),
  // Global unicast, unique local, and the prefixes that carry an IPv4 address, which is judged in their place.
  rows('unicast', 'no')('2000::/3', 'fc00::/7'),
  rows('translated', 'no')('::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48'),
  rows('loopback', 'unless allowed')('127.0.0.0/8', '::1/128'),
  rows('link-local', 'unless allowed')('169.254.0.0/16', 'fe80::/10'),
  // Azure, Alibaba; AWS instances and EKS pods, Google, Oracle, Scaleway.
  rows('cloud metadata', 'unless allowed')(
    '168.63.129.16/32',
    '100.100.100.200/32',
    'fd00:ec2::254/128',
    'fd00:ec2::23/128',
    'fd20:ce::254/128',
    'fd00:c1::a9fe:a9fe/128',
    'fd00:42::42/128',
  ),
].flat()
