import { httpSection } from '../image/data-source.ts'
import { Refusal } from '../errors.ts'
import type { AddressRules } from './address-rules.ts'
import { forbidden, judgeHost } from './address.ts'
import { ask, type ExchangeOptions } from './exchange.ts'
import { opened } from './opened.ts'
import { follow, isRedirect, mostRedirects, tooMany } from './redirects.ts'
import { requestFor, shown, type Request } from './request.ts'
import type { Lookup } from './resolve.ts'
import { rangeHeaders } from './resume.ts'
import type { Opened, Place, Resume, Source } from './source.ts'
import { statusFailure } from './status.ts'
import { trustOf } from './trust.ts'

export type HttpOptions = {
  readonly rules: AddressRules
  /** Name and version. */
  readonly userAgent: string
  readonly lookup?: Lookup
  /** Milliseconds to connect, to the end of the headers, and without a byte of the body. None in total. */
  readonly timeouts?: Partial<typeof usualTimeouts>
}

const usualTimeouts = { connect: 10_000, headers: 30_000, silence: 60_000 }

type Visit = { readonly request: Request; readonly userAgent: string } & ExchangeOptions

/** Files behind http and https URLs. */
export function httpSource(options: HttpOptions): Source {
  return { at: (section) => placeOf(section, options) }
}

function placeOf(input: unknown, options: HttpOptions): Place {
  const section = checked(input)
  const { connect, ...waits } = { ...usualTimeouts, ...options.timeouts }
  const { rules, lookup, userAgent } = options
  const request = requestFor(section)
  const verdict = judgeHost(request.url.hostname, rules)
  if (verdict.answer === 'refused') throw forbidden(verdict)
  const dial = { rules, trust: trustOf(section), timeout: connect, ...(lookup ? { lookup } : {}) }
  const visit = { request, userAgent, dial, ...waits }
  return { label: shown(request.url), open: (from, signal) => open(visit, from, signal) }
}

function checked(input: unknown) {
  const { data, error } = httpSection.safeParse(input)
  if (data) return data
  const fields = error.issues.map(({ path, message }) => ({
    path: ['http', ...path].join('.'),
    message,
  }))
  const [first] = fields
  throw new Refusal('INVALID_REQUEST', `${first?.path} ${first?.message}`, { fields })
}

async function open(visit: Visit, from: Resume | null, signal: AbortSignal): Promise<Opened> {
  const headers = {
    'accept-encoding': 'identity',
    'user-agent': visit.userAgent,
    ...rangeHeaders(from),
  }
  let { request } = visit
  for (let hop = 0; hop <= mostRedirects; hop += 1) {
    signal.throwIfAborted()
    const answer = await ask(request, headers, visit, signal)
    if (answer.status === 200 || answer.status === 206) {
      return opened(answer, { ...visit, request, from }, signal)
    }
    await answer.release()
    // RFC 9110 section 15.5.17: the source is shorter than what was taken, so it is another file.
    if (answer.status === 416 && from) return open(visit, null, signal)
    if (!isRedirect(answer.status)) throw statusFailure(answer, request.url)
    request = follow(request, answer.field('location'))
  }
  throw tooMany(request.url)
}
