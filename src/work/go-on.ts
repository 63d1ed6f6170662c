import { Readable } from 'node:stream'
import type { Catalog } from '../catalog/catalog.ts'
import type { Job } from '../catalog/jobs.ts'
import { Flaw, Outage } from '../errors.ts'
import type { Listener, Kept, Opened, Place, Resolved } from '../source/source.ts'
import { uncounted } from '../source/tally.ts'
import { peek } from '../unwrap/peek.ts'
import type { Arrival } from './arrival.ts'

export type Hearing = Listener & { readonly catalog: Catalog }

/**
 * Opens a source where an earlier transfer stopped, when it still gives the same bytes, else from its start. What is here
 * of other bytes is dropped.
 * @throws as `Place.open`; what is here may serve the next transfer then
 */
export async function goOn(
  place: Place,
  arrival: Arrival,
  job: Job,
  { catalog, tally }: Hearing,
  signal: AbortSignal,
): Promise<Opened> {
  // The last byte that is here is asked for again: behind the end of a file there is no part to ask for.
  const from = keptIn(arrival, job, arrival.offset - 1)
  const isLong = from !== null && from.offset >= muchKept
  return await letGo(arrival, signal, async () => {
    const opened = await place.open(from, signal, isLong ? uncounted : tally)
    return await orClose(opened, async () => {
      const isSame = await settle(opened, from, arrival, job, catalog)
      if (isSame && isLong) return openedLater(opened, from, () => place.open(from, signal, tally))
      return isSame ? await withoutFirst(opened) : opened
    })
  })
}

/** What is here is read once more before anything else is; of so many bytes that takes longer than a server may wait. */
const muchKept = 256 * 1024 * 1024

/** The same bytes, for which the source is asked only when somebody reads them. */
function openedLater(opened: Opened, { offset }: Kept, open: () => Promise<Opened>): Opened {
  opened.body.destroy()
  const body = async function* () {
    const again = await open()
    if (again.offset === offset && again.version === opened.version) {
      return yield* (await withoutFirst(again)).body
    }
    again.body.destroy()
    throw changed()
  }
  return { ...opened, body: Readable.from(body()), offset: offset + 1 }
}

/** The same for an image of a registry, which reads what is here once more. */
export async function goOnIn(
  resolved: Resolved,
  arrival: Arrival,
  job: Job,
  { catalog, ...listener }: Hearing,
  signal: AbortSignal,
): Promise<Opened> {
  const from = keptIn(arrival, job, arrival.offset)
  return await letGo(arrival, signal, async () => {
    const opened = await resolved.open(from, signal, listener)
    return await orClose(opened, async () => {
      await settle(opened, from, arrival, job, catalog)
      return opened
    })
  })
}

/**
 * What a transfer that went on has failed with. Bad bytes may be those that were kept, which a disk may have damaged: then
 * the source is not to blame, and the whole of it is fetched once more.
 */
export function doubted(error: unknown, { offset }: Opened): unknown {
  if (offset === 0 || !(error instanceof Flaw)) return error
  const message = `${error.message}; a part of it was kept from an earlier attempt, so it is fetched once more from its start`
  return new Outage('SOURCE_UNAVAILABLE', message, { cause: error })
}

function keptIn(arrival: Arrival, { version }: Job, offset: number): Kept | null {
  if (arrival.offset === 0 || version === null) return null
  return { offset, version, read: (at, length, signal) => arrival.read(at, length, signal) }
}

async function letGo<Value>(
  arrival: Arrival,
  signal: AbortSignal,
  open: () => Promise<Value>,
): Promise<Value> {
  try {
    return await open()
  } catch (error) {
    await arrival.fail(signal.aborted ? signal.reason : error)
    throw error
  }
}

async function orClose<Value>({ body }: Opened, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (error) {
    body.destroy()
    throw error
  }
}

/**
 * The version is noted when nothing of another one is here any more, so that a crash between the two mixes nothing.
 * @returns whether the transfer goes on
 */
async function settle(
  opened: Opened,
  from: Kept | null,
  arrival: Arrival,
  job: Job,
  catalog: Catalog,
): Promise<boolean> {
  const isSame = from !== null && opened.offset === from.offset
  // A part of a file of another length is one of another file, though it does not say so.
  const isOther = isSame && job.size !== null && opened.size !== job.size
  if (!isSame || isOther) await arrival.restart()
  if (isOther) throw changed()
  const { version, size } = opened
  if (version !== job.version || size !== job.size) {
    await catalog.transaction(({ jobs }) => jobs.note(job.imageUid, { version, size }))
  }
  return isSame
}

function changed(): Outage {
  return new Outage('SOURCE_UNAVAILABLE', 'the source changed; it is fetched from its start')
}

async function withoutFirst(opened: Opened): Promise<Opened> {
  const { body } = await peek(opened.body)
  body.read(1)
  return { ...opened, body, offset: opened.offset + 1 }
}
