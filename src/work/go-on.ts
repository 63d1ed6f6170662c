import type { Catalog } from '../catalog/catalog.ts'
import type { Job } from '../catalog/jobs.ts'
import type { Opened, Place } from '../source/source.ts'
import type { Tally } from '../source/tally.ts'
import { peek } from '../unwrap/peek.ts'
import type { Arrival } from './arrival.ts'

type Hearing = { readonly catalog: Catalog; readonly tally: Tally }

/**
 * Opens a source where an earlier transfer stopped, when it still gives the same bytes, else from its start. What is here
 * of other bytes is dropped.
 * @throws as `Place.open`
 */
export async function goOn(
  place: Place,
  arrival: Arrival,
  job: Job,
  { catalog, tally }: Hearing,
  signal: AbortSignal,
): Promise<Opened> {
  const { offset } = arrival
  // The last byte that is here is asked for again: behind the end of a file there is no part to ask for.
  const from =
    offset > 0 && job.version !== null ? { offset: offset - 1, version: job.version } : null
  const opened = await place.open(from, signal, tally)
  try {
    if (opened.version !== job.version) {
      await catalog.transaction(({ jobs }) => jobs.note(job.imageUid, opened.version))
    }
    if (from && opened.offset === from.offset) return await withoutFirst(opened)
    await arrival.restart()
    return opened
  } catch (error) {
    opened.body.destroy()
    throw error
  }
}

/** For a source that does not go on in the middle. */
export async function fromStart(arrival: Arrival, open: () => Promise<Opened>): Promise<Opened> {
  await arrival.restart()
  return await open()
}

async function withoutFirst(opened: Opened): Promise<Opened> {
  const { body } = await peek(opened.body)
  body.read(1)
  return { ...opened, body, offset: opened.offset + 1 }
}
