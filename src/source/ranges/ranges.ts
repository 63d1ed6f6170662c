import type { Readable } from 'node:stream'
import { SourceBody, type Extent } from '../body.ts'
import type { Answer } from '../exchange.ts'
import { pause, type Pause } from '../registry/patience.ts'
import { uncounted, type Tally } from '../tally.ts'
import { isPlain } from './grant.ts'
import type { RangedFile } from './lane.ts'
import { Pace, type Pacing } from './pace.ts'
import { RangedBody } from './ranged-body.ts'

export type RangesOptions = {
  /** Bytes: what has more left to come may come over several connections. */
  readonly above: number
  /** Says how many there should be, of one file. */
  readonly pace: () => Pacing
  readonly pause: Pause
}

/** sources, "Parallel ranges". */
export const usualRanges: RangesOptions = {
  above: 64 * 1024 * 1024,
  pace: () => new Pace(8, () => performance.now()),
  pause,
}

type Asked = Pick<RangedFile, 'request' | 'line'> & {
  readonly tally: Tally
  readonly ranges: RangesOptions
}

/** The body of an answer, over as many connections as make it faster when the source gives parts of the file. */
export function bodyOf(
  answer: Answer,
  extent: Extent & { readonly version: string | null },
  { request, line, tally, ranges }: Asked,
  signal: AbortSignal,
): Readable {
  const { offset, size, version } = extent
  const { silence, pace } = line
  const isLarge = size !== null && size - offset > ranges.above
  if (!isLarge || version === null || !givesParts(answer)) {
    return new SourceBody(answer, extent, { silence, pace, tally }, signal)
  }
  return new RangedBody(
    {
      file: { request, line, size, version },
      offset,
      // Bytes are counted where they are put together.
      first: (closing) =>
        new SourceBody(answer, extent, { silence, pace, tally: uncounted }, closing),
      pace: ranges.pace(),
      tally,
      pause: ranges.pause,
    },
    signal,
  )
}

function givesParts(answer: Answer): boolean {
  const units = answer.field('accept-ranges')?.trim().toLowerCase()
  return isPlain(answer) && (answer.status === 206 || units === 'bytes')
}
