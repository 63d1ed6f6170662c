import type { Failure, Outage } from '../../errors.ts'
import { unavailable } from '../breaks.ts'
import type { Answer } from '../exchange.ts'
import { shown } from '../request.ts'
import { contentLength, isProven, isVersion, lie, partOf, type Part } from '../resume.ts'
import { statusFailure } from '../status.ts'

/** The file whose parts are fetched: all of them have to be of this one. */
export type OneFile = { readonly size: number; readonly version: string }

/** From `at` to before `end`. */
export type Wanted = { readonly at: number; readonly end: number }

/** `whole`: the whole file comes instead, always; `lie`: another part; `refused`: nothing, for now. */
export type Why = 'whole' | 'lie' | 'refused'

/** A part was not given, which says nothing against those that others give. */
export class Denial {
  readonly why: Why
  readonly failure: Failure

  constructor(why: Why, failure: Failure) {
    this.why = why
    this.failure = failure
  }
}

/**
 * The part that an answer gives; it may end earlier than was asked for.
 * @throws Outage SOURCE_UNAVAILABLE when it is of another file
 */
export function granted(
  answer: Answer,
  { at, end }: Wanted,
  file: OneFile,
  url: URL,
): Part | Denial {
  if (isOther(answer, file)) throw changed(url)
  if (answer.status === 200) return new Denial('whole', unranged(url))
  if (answer.status !== 206) return new Denial('refused', statusFailure(answer, url))
  const part = partOf(answer)
  const isOurs = isPlain(answer) && isProven(answer, file.version)
  const isTrue = part?.offset === at && part.end <= end && isOurs
  return isTrue ? part : new Denial('lie', lie(at))
}

/** A 416 says that the file is shorter than it was (RFC 9110 section 15.5.17). */
function isOther(answer: Answer, { size, version }: OneFile): boolean {
  if (answer.status === 416) return true
  if (answer.status !== 200 && answer.status !== 206) return false
  const whole = answer.status === 206 ? partOf(answer)?.size : contentLength(answer)
  return !isVersion(answer, version) || (whole ?? size) !== size
}

/** Parts of a coded file are no parts of the file. */
export function isPlain(answer: Answer): boolean {
  const coding = answer.field('content-encoding')?.trim().toLowerCase() || 'identity'
  return coding === 'identity'
}

function changed(url: URL): Outage {
  return unavailable(`${shown(url)} has changed while it was fetched; it is fetched anew`)
}

function unranged(url: URL): Outage {
  return unavailable(`the source gives no parts of ${shown(url)}; check the source`)
}
