import { isIP } from 'node:net'
import { parseNetwork, type Network } from './network.ts'
import { specialAddresses } from './special-addresses.ts'

/** What an administrator says: CIDRs, single addresses and host globs such as `*.example.com`. */
export type SourcePolicy = { readonly deny: readonly string[]; readonly allow: readonly string[] }

export type NetworkRule = {
  readonly network: Network
  readonly effect: 'permit' | 'refuse'
  /** Why an address is refused, in words. */
  readonly reason: string
}

export type HostRule = {
  readonly glob: string
  readonly pattern: RegExp
  readonly effect: 'permit' | 'refuse'
}

/** Every list stands in the order of judgement: the first rule that covers an address or a host decides. */
export type AddressRules = {
  /** What no setting lifts. */
  readonly fixed: readonly NetworkRule[]
  readonly networks: readonly NetworkRule[]
  readonly hosts: readonly HostRule[]
}

const fixed: readonly NetworkRule[] = byLength(
  specialAddresses.map(({ range, kind, refused }) => ({
    network: parseNetwork(range),
    effect: refused === 'always' ? 'refuse' : 'permit',
    reason: `${kind} addresses (${range}) are always refused`,
  })),
)

const byDefault: readonly NetworkRule[] = specialAddresses
  .filter(({ refused }) => refused === 'unless allowed')
  .map(({ range, kind }) => ({
    network: parseNetwork(range),
    effect: 'refuse',
    reason: `${kind} addresses (${range}) are refused by default`,
  }))

/** The rules of a policy whose entries the environment has checked. */
export function compileRules({ deny, allow }: SourcePolicy): AddressRules {
  const permits = allow.filter(isNetwork).map((text) => networkRule(text, 'permit'))
  const refusals = deny.filter(isNetwork).map((text) => networkRule(text, 'refuse'))
  const hosts = [
    ...allow.filter((text) => !isNetwork(text)).map((text) => hostRule(text, 'permit')),
    ...deny.filter((text) => !isNetwork(text)).map((text) => hostRule(text, 'refuse')),
  ]
  return {
    fixed,
    networks: byLength([...permits, ...refusals, ...byDefault]),
    hosts: hosts.toSorted((a, b) => weight(b.glob) - weight(a.glob)),
  }
}

function isNetwork(text: string): boolean {
  return text.includes('/') || isIP(text) > 0
}

/** Sorting is stable, so at equal length a permit that stands first stays first. */
function byLength(rules: readonly NetworkRule[]): readonly NetworkRule[] {
  return rules.toSorted((a, b) => b.network.bits - a.network.bits)
}

function networkRule(text: string, effect: NetworkRule['effect']): NetworkRule {
  return { network: parseNetwork(text), effect, reason: `SLIPWAY_SOURCE_DENY holds ${text}` }
}

/** A `*` stands for any run of characters, dots included. */
function hostRule(glob: string, effect: HostRule['effect']): HostRule {
  const source = glob
    .toLowerCase()
    .split(/\*+/)
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  return { glob, pattern: new RegExp(`^${source}$`), effect }
}

/** The more a glob spells out, the more it says. */
function weight(glob: string): number {
  return glob.replaceAll('*', '').length
}
