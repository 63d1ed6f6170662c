import type { Readable } from 'node:stream'
import { Flaw, Refusal } from '../../errors.ts'
import { SourceBody, type Extent } from '../body.ts'
import { extentOf, rangeHeaders } from '../resume.ts'
import { statusFailure } from '../status.ts'
import { uncounted } from '../tally.ts'
import type { Arrival } from '../travel.ts'
import { refuseCoding } from './coding.ts'
import type { BlobPart } from './registry.ts'
import type { Session } from './session.ts'

/** Bytes `start` to before `end`. */
export type Stretch = { readonly start: number; readonly end: number }

export type OpenedBlob = {
  readonly body: Readable
  /** Bytes at the start of `body` that were not asked for. */
  readonly skip: number
}

/**
 * Opens a part of a blob once or, where the registry knows no ranges, all of it: its digest says that these are the same
 * bytes. More than was asked for may come.
 * @throws as `Registry.blob`
 */
export async function openBlob(
  session: Session,
  blob: BlobPart,
  { start: offset, end }: Stretch,
  signal: AbortSignal,
): Promise<OpenedBlob> {
  const range =
    end < blob.size
      ? { range: `bytes=${offset}-${end - 1}` }
      : rangeHeaders({ offset, version: null })
  const arrival = await session.get(`blobs/${blob.digest}`, range, signal)
  try {
    const extent = checked(arrival, session, blob, offset)
    const { silence, pace } = session.line
    const options = { silence, pace, tally: uncounted }
    // Its reader knows how long it has to be, and what it means when it is not.
    const unsized = { offset: extent.offset, size: null }
    const body = new SourceBody(arrival.answer, unsized, options, signal)
    return { body, skip: offset - extent.offset }
  } catch (error) {
    await arrival.answer.release()
    throw error
  }
}

function checked(arrival: Arrival, { name }: Session, blob: BlobPart, offset: number): Extent {
  const { answer, request } = arrival
  const { status } = answer
  if (status === 404) throw missing(name, blob)
  if (status === 416) throw otherSize(blob, `no bytes from ${offset} on`)
  if (status !== 200 && status !== 206) throw statusFailure(answer, request.url)
  refuseCoding(arrival)
  const extent = extentOf(answer, { offset, version: null })
  if (extent.size === null || extent.size === blob.size) return extent
  throw otherSize(blob, `${extent.size} bytes`)
}

function missing(name: string, { digest }: BlobPart): Refusal {
  const message = `the registry does not have the blob ${digest} of ${name}, which a manifest there names; push the image again`
  return new Refusal('SOURCE_REFUSED', message)
}

/** `found` ends the sentence "the registry says the blob has …". */
export function otherSize({ digest, size }: BlobPart, found: string): Flaw {
  const message = `the registry says the blob ${digest} has ${found}, its manifest ${size}; push the image again`
  return new Flaw('INVALID_OCI', message)
}
