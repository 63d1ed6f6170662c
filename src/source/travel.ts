import type { AddressRules } from './address-rules.ts'
import type { DialOptions } from './dial.ts'
import type { Bandwidth, Pace } from './bandwidth.ts'
import { ask, type Answer, type ExchangeOptions } from './exchange.ts'
import type { Proxies } from './proxies.ts'
import { follow, isRedirect, mostRedirects, tooMany } from './redirects.ts'
import type { Request } from './request.ts'
import type { Lookup } from './resolve.ts'
import type { Trust } from './trust.ts'

export type TravelOptions = {
  readonly rules: AddressRules
  /** Name and version. */
  readonly userAgent: string
  readonly lookup?: Lookup
  /** Without a word, sources are asked directly. */
  readonly proxies?: Proxies
  /** Stands in for the network. */
  readonly connector?: DialOptions['connector']
  /** What all places share; without it, each takes what it gets. */
  readonly bandwidth?: Bandwidth | null
  /** Milliseconds to connect, to the end of the headers, and without a byte of the body. None in total. */
  readonly timeouts?: Partial<typeof usualTimeouts>
}

const usualTimeouts = { connect: 10_000, headers: 30_000, silence: 60_000 }

/** How requests of one import go out, and how fast files come in. */
export type Line = ExchangeOptions & { readonly userAgent: string; readonly pace: Pace | null }

export function lineOf(options: TravelOptions, trust: Trust): Line {
  const { rules, userAgent, lookup, proxies, connector, bandwidth, timeouts } = options
  const { connect, headers, silence } = { ...usualTimeouts, ...timeouts }
  const dial = {
    rules,
    trust,
    timeout: connect,
    ...(lookup && { lookup }),
    ...(proxies && { proxies }),
    ...(connector && { connector }),
  }
  return { userAgent, dial, headers, silence, pace: bandwidth?.share() ?? null }
}

/** For every hop, or by the hop. */
export type Extra =
  | Readonly<Record<string, string>>
  | ((hop: Request) => Readonly<Record<string, string>>)

/** The answer, which has to be released, and the request that it is to. */
export type Arrival = { readonly answer: Answer; readonly request: Request }

/**
 * Asks, and follows redirects to the answer behind them.
 * @param extra headers
 * @throws Refusal SOURCE_FORBIDDEN, SOURCE_REFUSED; Outage SOURCE_UNAVAILABLE; the reason of an abort
 */
export async function travel(
  start: Request,
  extra: Extra,
  line: Line,
  signal: AbortSignal,
): Promise<Arrival> {
  const headers = { 'accept-encoding': 'identity', 'user-agent': line.userAgent }
  const extraFor = typeof extra === 'function' ? extra : () => extra
  let request = start
  for (let hop = 0; hop <= mostRedirects; hop += 1) {
    signal.throwIfAborted()
    const answer = await ask(request, { ...headers, ...extraFor(request) }, line, signal)
    if (!isRedirect(answer.status)) return { answer, request }
    await answer.release()
    request = follow(request, answer.field('location'))
  }
  throw tooMany(request.url)
}
