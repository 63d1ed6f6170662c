import { lookup as resolve } from 'node:dns/promises'
import { isIP } from 'node:net'
import { Outage } from '../errors.ts'
import type { AddressRules } from './address-rules.ts'
import { forbidden, judge, judgeHost, type Refused } from './address.ts'

/** All addresses of a host name, in the order in which they are to be tried. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string }[]>

export const systemLookup: Lookup = (host) => resolve(host, { all: true, order: 'verbatim' })

/**
 * The addresses of a host that an import may go to. The name is asked for once, so that what is judged is what is
 * connected to.
 * @throws Refusal SOURCE_FORBIDDEN when none may; Outage SOURCE_UNAVAILABLE when the name does not resolve
 */
export async function permittedAddresses(
  host: string,
  rules: AddressRules,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const verdict = judgeHost(host, rules)
  if (verdict.answer === 'refused') throw forbidden(verdict)
  if (isIP(host)) return [host]
  const refusals: Refused[] = []
  const permitted = (await addressesOf(host, lookup, signal)).filter((address) => {
    const verdict = judge(address, rules)
    if (verdict.answer === 'refused') refusals.push(verdict)
    return verdict.answer === 'permitted'
  })
  if (permitted.length === 0) throw noneOf(refusals, host)
  return permitted
}

async function addressesOf(
  host: string,
  lookup: Lookup,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const answers = await unlessAborted(lookup(host), signal)
    return answers.map(({ address }) => address)
  } catch (cause) {
    throw unresolved(host, cause)
  }
}

/** Where no address passes, the first one is told. */
function noneOf([first]: readonly Refused[], host: string): Error {
  if (!first) return unresolved(host)
  return forbidden({ ...first, subject: `${host} at ${first.subject}` })
}

function unresolved(host: string, cause?: unknown): Outage {
  const message = `the host name ${host} does not resolve; check the URL`
  return new Outage('SOURCE_UNAVAILABLE', message, { cause })
}

/** What `work` gives, or an error when the abort comes first: DNS cannot be called off, only left alone. */
async function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(new Error('given up', { cause: signal.reason }))
  signal.addEventListener('abort', abort)
  try {
    if (signal.aborted) abort()
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
