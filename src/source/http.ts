import { httpSection } from '../image/data-source.ts'
import { forbidden, judgeHost } from './address.ts'
import { checkedSection } from './checked-section.ts'
import { conditionsFor, isUnchanged } from './conditional.ts'
import { opened } from './opened.ts'
import { usualRanges, type RangesOptions } from './ranges/ranges.ts'
import { requestFor, shown, type Request } from './request.ts'
import { isProven, rangeHeaders } from './resume.ts'
import type { Opened, Place, Resume, Source, Validators } from './source.ts'
import { statusFailure } from './status.ts'
import { uncounted, type Tally } from './tally.ts'
import { lineOf, travel, type Arrival, type Line, type TravelOptions } from './travel.ts'
import { trustOf } from './trust.ts'

export type HttpOptions = TravelOptions & {
  /** When, and how, a file comes over several connections. */
  readonly ranges?: Partial<RangesOptions>
}

type Visit = {
  readonly request: Request
  readonly line: Line
  readonly ranges: RangesOptions
  readonly tally: Tally
}

/** Files behind http and https URLs. */
export function httpSource(options: HttpOptions): Source {
  return { at: (section) => placeOf(section, options) }
}

function placeOf(input: unknown, options: HttpOptions): Place {
  const section = checkedSection('http', httpSection, input)
  const request = requestFor(section)
  const verdict = judgeHost(request.url.hostname, options.rules)
  if (verdict.answer === 'refused') throw forbidden(verdict)
  const line = lineOf(options, trustOf(section))
  const visit = { request, line, ranges: { ...usualRanges, ...options.ranges } }
  return {
    label: shown(request.url),
    open: (from, signal, tally = uncounted) => open({ ...visit, tally }, from, signal),
    openUnlessSame: (known, signal, tally = uncounted) =>
      openUnlessSame({ ...visit, tally }, known, signal),
  }
}

async function open(visit: Visit, from: Resume | null, signal: AbortSignal): Promise<Opened> {
  return await take(
    await travel(visit.request, rangeHeaders(from), visit.line, signal),
    visit,
    from,
    signal,
  )
}

async function openUnlessSame(
  visit: Visit,
  known: Validators,
  signal: AbortSignal,
): Promise<Opened | null> {
  const { url } = visit.request
  const conditions = (hop: Request) => conditionsFor(known, hop.url, url)
  const arrival = await travel(visit.request, conditions, visit.line, signal)
  const { answer, request } = arrival
  if (answer.status !== 304) return await take(arrival, visit, null, signal)
  await answer.release()
  const wasAsked = Object.keys(conditions(request)).length > 0
  return wasAsked && isUnchanged(answer, known) ? null : await open(visit, null, signal)
}

async function take(
  { answer, request }: Arrival,
  visit: Visit,
  from: Resume | null,
  signal: AbortSignal,
): Promise<Opened> {
  if (answer.status === 206 && from && from.version !== null && !isProven(answer, from.version)) {
    await answer.release()
    return await open(visit, null, signal)
  }
  if (answer.status === 200 || answer.status === 206) {
    return opened(answer, { ...visit, request, start: visit.request, from }, signal)
  }
  await answer.release()
  // RFC 9110 section 15.5.17: the source is shorter than what was taken, so it is another file.
  if (answer.status === 416 && from) return open(visit, null, signal)
  throw statusFailure(answer, request.url)
}
