import { httpSection } from '../image/data-source.ts'
import { forbidden, judgeHost } from './address.ts'
import { checkedSection } from './checked-section.ts'
import { opened } from './opened.ts'
import { requestFor, shown, type Request } from './request.ts'
import { rangeHeaders } from './resume.ts'
import type { Opened, Place, Resume, Source } from './source.ts'
import { statusFailure } from './status.ts'
import { uncounted, type Tally } from './tally.ts'
import { lineOf, travel, type Line, type TravelOptions } from './travel.ts'
import { trustOf } from './trust.ts'

export type HttpOptions = TravelOptions

type Visit = Line & { readonly request: Request; readonly tally: Tally }

/** Files behind http and https URLs. */
export function httpSource(options: HttpOptions): Source {
  return { at: (section) => placeOf(section, options) }
}

function placeOf(input: unknown, options: HttpOptions): Place {
  const section = checkedSection('http', httpSection, input)
  const request = requestFor(section)
  const verdict = judgeHost(request.url.hostname, options.rules)
  if (verdict.answer === 'refused') throw forbidden(verdict)
  const visit = { request, ...lineOf(options, trustOf(section)) }
  return {
    label: shown(request.url),
    open: (from, signal, tally = uncounted) => open({ ...visit, tally }, from, signal),
  }
}

async function open(visit: Visit, from: Resume | null, signal: AbortSignal): Promise<Opened> {
  const { answer, request } = await travel(visit.request, rangeHeaders(from), visit, signal)
  if (answer.status === 200 || answer.status === 206) {
    return opened(answer, { ...visit, request, from }, signal)
  }
  await answer.release()
  // RFC 9110 section 15.5.17: the source is shorter than what was taken, so it is another file.
  if (answer.status === 416 && from) return open(visit, null, signal)
  throw statusFailure(answer, request.url)
}
