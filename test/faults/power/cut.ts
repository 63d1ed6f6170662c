import type { Random } from '../../support/random.ts'
import type { Fate } from './disk.ts'
import type { Ledger } from './ledger.ts'
import type { Change } from './recording.ts'

/** Where the power may go: bytes of a recording that came to its end before. */
export type Places = readonly number[]

/** A way to lose power: when, and what becomes of what was not durable yet. */
export type Manner = {
  readonly place: (recording: readonly Change[], ledger: Ledger, random: Random) => number
  readonly fate: (random: Random) => Fate
}

/** At the barriers, where all that counts is what they have kept: nothing else is there. */
export const lost: Manner = {
  place(recording, ledger, random) {
    const syncs = recording.flatMap(({ kind, start, end }) => {
      if (kind === 'synced') return [start, end]
      return kind === 'syncing' ? [end] : []
    })
    return random.below(2) === 0 ? anyOf(syncs, random) : anyOf(ledger.answers(), random)
  },
  fate: () => ({ isNamed: () => false, ofFile: () => () => false }),
}

/** At any time: any part of it is there. */
export const torn: Manner = {
  place: (recording, _ledger, random) =>
    anyOf(
      recording.map(({ end }) => end),
      random,
    ),
  fate(random) {
    const rarely = 1 + random.below(9)
    return { isNamed: () => random.below(10) < rarely, ofFile: () => partOf(random) }
  },
}

/** Of a file nothing that was not durable is there, all of it, a sector here and there, or what fell on one side of a sector. */
function partOf(random: Random): (sector: number) => boolean {
  const kind = random.below(5)
  const border = random.below(64)
  if (kind < 2) return () => kind === 0
  if (kind === 2) return () => random.below(2) === 0
  return (sector) => sector % 64 < border === (kind === 3)
}

function anyOf(places: Places, random: Random): number {
  return places[random.below(places.length)] ?? 0
}
