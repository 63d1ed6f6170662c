import type { Readable } from 'node:stream'
import { Failure, Flaw, Outage, Refusal } from '../errors.ts'
import type { DataSource } from '../image/data-source.ts'
import { Inspection, type Glimpse } from '../inspect/inspection.ts'
import { needed } from '../inspect/sparse.ts'
import { headLength } from '../inspect/windows.ts'
import type { ImageContents, Opened, Place, Source, SourceFacts } from '../source/source.ts'
import { unwrap } from '../unwrap/unwrap.ts'
import { Gate } from './gate.ts'
import type { Station } from './ingest.ts'
import type { Room } from './room.ts'

export type Probed = {
  /** Why it would not be taken; null when nothing that was seen speaks against it. */
  readonly refusal: Failure | null
  /** Whether everything was seen that inspection looks at while a file passes. */
  readonly isComplete: boolean
  /** Null when it is refused, or when the start does not tell. */
  readonly facts: Glimpse | null
  /** What it is wrapped in, the outermost first. */
  readonly wrapping: readonly string[]
  /** Bytes of the source, null when it does not tell. */
  readonly size: number | null
  /** Whether the source gives parts of the file; null when that did not come up. */
  readonly ranges: boolean | null
  /** By what the source tells whether the file is still the same. */
  readonly revalidation: 'etag' | 'lastModified' | 'digest' | 'none'
  readonly source: SourceFacts
  /** Of a container image. */
  readonly contents: ImageContents | null
}

export type ProberOptions = {
  readonly sources: { readonly [type in DataSource['type']]?: Source }
  readonly station: Pick<Station, 'limits'> & { readonly room: Pick<Room, 'checkSize'> }
}

/** Each holds the windows of an inspection and one connection. */
const atOnce = 8
/** Milliseconds for all of a probe, its turn included: somebody waits for the answer. */
const patience = 60_000
/** What a header points to is read on the way when it lies this near (a VHDX has its metadata behind 2 MiB). */
const near = 2 * headLength

/** Tells what would be imported, from the start and the end of it. */
export class Prober {
  readonly #options: ProberOptions
  readonly #gate = new Gate(atOnce)

  constructor(options: ProberOptions) {
    this.#options = options
  }

  /**
   * @throws Refusal UNSUPPORTED_SOURCE, INVALID_REQUEST, SOURCE_REFUSED, SOURCE_FORBIDDEN; Outage SOURCE_UNAVAILABLE, and
   * SHUTTING_DOWN once the signal is aborted
   */
  async probe(dataSource: DataSource, signal: AbortSignal): Promise<Probed> {
    const place = this.#placeOf(dataSource)
    const late = AbortSignal.timeout(patience)
    try {
      const either = AbortSignal.any([signal, late])
      using turn = await this.#gate.enter(either)
      void turn
      return await this.#look(place, either)
    } catch (error) {
      if (signal.aborted)
        throw new Outage('SHUTTING_DOWN', 'the probe was stopped; ask again', { cause: error })
      if (!late.aborted) throw error
      throw new Outage(
        'SOURCE_UNAVAILABLE',
        `the source took more than ${patience / 1000} s to show its start and end; try again, or import it`,
      )
    }
  }

  #placeOf({ type, http, containerImage }: DataSource): Place {
    const source = this.#options.sources[type]
    if (source) return source.at(http ?? containerImage)
    throw new Refusal(
      'UNSUPPORTED_SOURCE',
      `there is nothing to probe in type ${type}; ${Object.keys(this.#options.sources).join(', ')} can be probed`,
    )
  }

  async #look(place: Place, signal: AbortSignal): Promise<Probed> {
    try {
      return await this.#see(place, await place.open(null, signal), signal)
    } catch (error) {
      // A container image may be refused before there is a disk in it.
      return refused(unseen, error)
    }
  }

  async #see(place: Place, opened: Opened, signal: AbortSignal): Promise<Probed> {
    const { size, facts: source, contents = null } = opened
    const told = { ...unseen, size, source, contents, revalidation: revalidation(source) }
    try {
      return { ...told, ...(await this.#judge(place, opened, signal)) }
    } catch (error) {
      return refused(told, error)
    } finally {
      opened.body.destroy()
    }
  }

  async #judge(place: Place, opened: Opened, signal: AbortSignal): Promise<Partial<Probed>> {
    const { limits, room } = this.#options.station
    const { size } = opened
    if (size !== null) room.checkSize(size)
    const { body, wrapping } = await unwrap(opened.body, { maxOutput: limits.maxImageSize }, signal)
    try {
      const isPlain = wrapping.length === 0
      const inspection = new Inspection(limits, isPlain ? size : null)
      const isWhole = await pushStart(inspection, body)
      body.destroy()
      // A disk in a layer has no parts of its own to ask for.
      if (!isPlain || size === null || opened.contents)
        return { wrapping, ...answer(inspection, isWhole) }
      const ranges = await pushParts(inspection, { place, opened, size }, signal)
      return { wrapping, ranges, ...answer(inspection, isWhole || ranges) }
    } finally {
      body.destroy()
    }
  }
}

const unseen: Probed = {
  refusal: null,
  isComplete: false,
  facts: null,
  wrapping: [],
  ranges: null,
  size: null,
  source: {},
  contents: null,
  revalidation: 'none',
}

/** @throws what is no verdict on the bytes */
function refused(told: Probed, error: unknown): Probed {
  if (!isVerdict(error)) throw error
  return { ...told, isComplete: true, refusal: error }
}

function isVerdict(error: unknown): error is Failure {
  return error instanceof Flaw || (error instanceof Refusal && error.code === 'TOO_LARGE')
}

function revalidation({ etag, lastModified, digest }: SourceFacts): Probed['revalidation'] {
  if (digest !== undefined) return 'digest'
  if (etag?.startsWith('"')) return 'etag'
  return lastModified === undefined ? 'none' : 'lastModified'
}

function answer(inspection: Inspection, isWhole: boolean): Pick<Probed, 'facts' | 'isComplete'> {
  return { isComplete: isWhole, facts: isWhole ? inspection.finish() : inspection.soFar() }
}

/** The head, and what it points to near by; true when that is all there is. */
async function pushStart(inspection: Inspection, body: Readable): Promise<boolean> {
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    inspection.push(chunk)
    if (inspection.received >= enough(inspection)) return false
  }
  return true
}

function enough(inspection: Inspection): number {
  const ends = inspection.wanted().map(({ offset, length }) => offset + length)
  return Math.max(headLength, ...ends.filter((end) => end <= near))
}

type Remote = { readonly place: Place; readonly opened: Opened; readonly size: number }

/** What else the verdict rests on, a request each; false when the source gives no parts. */
async function pushParts(inspection: Inspection, remote: Remote, signal: AbortSignal) {
  const { size } = remote
  const stretches = needed(inspection, size)
  // Of a file that was read whole nothing is needed; its last byte shows whether there are parts.
  if (stretches.length === 0) return (await part(remote, size - 1, 1, signal)) !== null
  for (const { start, end } of stretches) {
    const bytes = await part(remote, start, end - start, signal)
    if (bytes === null) return false
    inspection.skip(start)
    inspection.push(bytes)
  }
  return true
}

/** Null when the source answers with something else than the part of the very file that was opened first. */
async function part(
  { place, opened, size }: Remote,
  offset: number,
  length: number,
  signal: AbortSignal,
) {
  if (offset <= 0) return null
  try {
    return await read({ place, opened, size }, offset, length, signal)
  } catch (error) {
    // Whatever it answers when it is asked for a part: it gives none, and an import does not need one.
    if (error instanceof Failure && partless.has(error.code)) return null
    throw error
  }
}

const partless: ReadonlySet<string> = new Set(['SOURCE_REFUSED', 'SOURCE_UNAVAILABLE'])

async function read(
  { place, opened, size }: Remote,
  offset: number,
  length: number,
  signal: AbortSignal,
) {
  const { body, ...given } = await place.open({ offset, version: opened.version }, signal)
  try {
    if (given.offset !== offset || given.size !== size) return null
    const chunks: Buffer[] = []
    let missing = length
    for await (const chunk of body) {
      chunks.push(chunk)
      missing -= chunk.length
      if (missing <= 0) break
    }
    return Buffer.concat(chunks).subarray(0, length)
  } finally {
    body.destroy()
  }
}
