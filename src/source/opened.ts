import { Refusal } from '../errors.ts'
import type { Answer } from './exchange.ts'
import { shown, type Request } from './request.ts'
import { bodyOf, type RangesOptions } from './ranges/ranges.ts'
import { extentOf, versionOf } from './resume.ts'
import type { Opened, Resume, SourceFacts } from './source.ts'
import type { Tally } from './tally.ts'
import type { Line } from './travel.ts'

type Asked = {
  /** The one that was answered. */
  readonly request: Request
  /** The one it began with, before any redirect. */
  readonly start: Request
  readonly line: Line
  readonly from: Resume | null
  readonly tally: Tally
  readonly ranges: RangesOptions
}

/**
 * What a 200 or a 206 opens. The connection is closed when it is not taken.
 * @throws Refusal SOURCE_REFUSED; Outage SOURCE_UNAVAILABLE
 */
export async function opened(answer: Answer, asked: Asked, signal: AbortSignal): Promise<Opened> {
  try {
    signal.throwIfAborted()
    return take(answer, asked, signal)
  } catch (error) {
    await answer.release()
    throw error
  }
}

function take(answer: Answer, { request, from, ...asked }: Asked, signal: AbortSignal): Opened {
  refuseCoding(answer, request.url)
  const extent = extentOf(answer, from)
  const version = extent.offset > 0 && from ? from.version : versionOf(answer)
  asked.tally.expect(extent.size, extent.offset)
  return {
    body: bodyOf(answer, { ...extent, version }, { ...asked, request: asked.start }, signal),
    ...extent,
    version,
    facts: factsOf(answer, request.url),
  }
}

/** Codings that `unwrap` recognizes by their bytes are passed on as they are; RFC 9110 section 8.4.1. */
const readableCodings = new Set(['identity', 'gzip', 'x-gzip', 'zstd'])

function refuseCoding(answer: Answer, url: URL): void {
  const coding = answer.field('content-encoding')?.trim().toLowerCase() || 'identity'
  if (readableCodings.has(coding)) return
  throw new Refusal(
    'SOURCE_REFUSED',
    `the source sends ${shown(url)} in a content coding that was not asked for; ask its operator for identity`,
  )
}

function factsOf(answer: Answer, url: URL): SourceFacts {
  const etag = answer.field('etag')
  const lastModified = answer.field('last-modified')
  return {
    url: shown(url),
    ...(etag === null ? {} : { etag }),
    ...(lastModified === null ? {} : { lastModified }),
  }
}
