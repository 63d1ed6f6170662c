import { Refusal } from '../errors.ts'
import type { AddressRules } from './address-rules.ts'
import { embedded } from './embedded.ts'
import { covers, parseAddress, single, type Address } from './network.ts'

/**
 * Where imports may not go (sources, "Where imports may not go"). A verdict is about the text of one address or one host
 * and never asks the network.
 */
export type Verdict = { readonly answer: 'permitted' } | Refused
export type Refused = {
  readonly answer: 'refused'
  /** What is refused: the address, with the IPv4 address inside it where that one is the reason; or the host. */
  readonly subject: string
  /** The rule, in words. */
  readonly rule: string
  /** The entry of SLIPWAY_SOURCE_ALLOW that would lift the refusal, null when none does. */
  readonly lift: string | null
}

const permitted: Verdict = { answer: 'permitted' }

/** The verdict on an address, be it a literal or an answer of DNS. An IPv4 address inside IPv6 is judged too. */
export function judge(text: string, rules: AddressRules): Verdict {
  const address = parseAddress(text)
  if (!address) return { answer: 'refused', subject: text, rule: 'it is no IP address', lift: null }
  for (const inner of embedded(address)) {
    const verdict = judgeOne(inner, `${text} (${inner.toString()} inside)`, rules)
    if (verdict.answer === 'refused') return verdict
  }
  return judgeOne(address, text, rules)
}

/** The verdict on the host of a URL before anything is resolved: names by the globs, literals by their address as well. */
export function judgeHost(hostname: string, rules: AddressRules): Verdict {
  const host = bareHost(hostname)
  const rule = rules.hosts.find(({ pattern }) => pattern.test(host.replace(/\.$/, '')))
  if (rule?.effect === 'refuse') {
    const reason = `SLIPWAY_SOURCE_DENY holds ${rule.glob}`
    return { answer: 'refused', subject: host, rule: reason, lift: host }
  }
  return parseAddress(host) ? judge(host, rules) : permitted
}

/** The verdict on a host that a proxy resolves. Names that mean loopback everywhere are judged so (RFC 6761 section 6.3). */
export function judgeUnresolved(hostname: string, rules: AddressRules): Verdict {
  const verdict = judgeHost(hostname, rules)
  const host = bareHost(hostname)
  if (verdict.answer === 'refused' || !/(?:^|\.)localhost\.?$/.test(host)) return verdict
  const loopback = judge('127.0.0.1', rules)
  return loopback.answer === 'refused' ? { ...loopback, subject: host } : loopback
}

/** The host of a URL in lower case and without the brackets of an IPv6 literal. */
export function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '').toLowerCase()
}

/** The error of a refusal: which address, which rule and how it is lifted, never what answered there. */
export function forbidden(verdict: Refused): Refusal {
  const wayOut = verdict.lift
    ? `an administrator can permit it with SLIPWAY_SOURCE_ALLOW=${verdict.lift}`
    : 'give another URL'
  return new Refusal(
    'SOURCE_FORBIDDEN',
    `no import may go to ${verdict.subject}: ${verdict.rule}; ${wayOut}`,
  )
}

function judgeOne(address: Address, subject: string, rules: AddressRules): Verdict {
  const fixed = rules.fixed.find(({ network }) => covers(network, address))
  if (fixed?.effect === 'refuse') {
    return { answer: 'refused', subject, rule: fixed.reason, lift: null }
  }
  const rule = rules.networks.find(({ network }) => covers(network, address))
  if (rule?.effect !== 'refuse') return permitted
  const { base, bits } = single(address)
  return { answer: 'refused', subject, rule: rule.reason, lift: `${base.toString()}/${bits}` }
}
