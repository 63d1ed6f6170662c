import type { Tally } from '../source/tally.ts'
import type { Hearing } from './go-on.ts'
import type { Journey } from './journeys.ts'

/** What an attempt hears from its source, and whom it tells of it. */
export type Heard = Hearing & { readonly journey: Journey }

/** Tells both of the bytes that come. */
export function heardBy(transfer: Tally, journey: Journey): Tally {
  return {
    expect: (total, from) => transfer.expect(total, from),
    add(bytes) {
      transfer.add(bytes)
      journey.came(bytes)
    },
  }
}
