import type { Tally } from '../../../../src/source/tally.ts'
import type { Pacing } from '../../../../src/source/ranges/pace.ts'
import type { RangesOptions } from '../../../../src/source/ranges/ranges.ts'
import type { Neighbour, Script } from '../../../support/http-neighbour.ts'
import { placeAt, deadline, type Visit } from '../visits.ts'

/** The smallest there is. */
export const part = 512 * 1024
export const size = 16 * part + 77
export const etag = '"1"'

/** A file in parts, from a source that says so. */
export const file = {
  size,
  etag,
  ranges: 'honest',
  headers: { 'accept-ranges': 'bytes' },
} as const satisfies Script

/** Wants so many connections from the start, one less for each refusal. */
export class Steady implements Pacing {
  wanted: number
  /** What it was told. */
  readonly refusals: (number | null)[] = []
  joins = 0
  hasGivenUp = false

  constructor(wanted: number) {
    this.wanted = wanted
  }

  waits(): void {}
  add(): void {}
  joined(): void {
    this.joins += 1
  }
  refused(wait: number | null): void {
    this.refusals.push(wait)
    this.wanted = Math.max(1, this.wanted - 1)
  }
  never(): void {
    this.hasGivenUp = true
    this.wanted = 1
  }
}

/** What was waited for between tries, which takes no time here. */
export class Waits {
  readonly heard: number[] = []
  readonly pause = async (milliseconds: number): Promise<void> => {
    this.heard.push(milliseconds)
  }
}

export function ranges(pace: Pacing, { pause } = new Waits()): Partial<RangesOptions> {
  return { above: part, pace: () => pace, pause }
}

export class Counter implements Tally {
  total: number | null = null
  from = 0
  sum = 0
  expect(total: number | null, from = 0): void {
    this.total = total
    this.from = from
  }
  add(bytes: number): void {
    this.sum += bytes
  }
}

/** Opens a file that may come over several connections. */
export function openShared(url: string, pace: Pacing, visit: Visit & { tally?: Tally } = {}) {
  const options = { ranges: ranges(pace), ...visit.options }
  const place = placeAt(url, { ...visit, options })
  return place.open(visit.from ?? null, visit.signal ?? deadline(), visit.tally)
}

export function asked({ requests }: Neighbour): readonly (string | null)[] {
  return requests.map(({ headers }) => headers.range ?? null)
}

export function sent({ requests }: Neighbour): number {
  return requests.reduce((sum, each) => sum + each.sent, 0)
}

/** From the header of a request; null for the whole. */
export function startOf(range: string | undefined): number | null {
  const [, start] = /^bytes=(\d+)-/.exec(range ?? '') ?? []
  return start === undefined ? null : Number(start)
}
