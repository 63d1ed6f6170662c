import type { Log } from '../log.ts'
import type { Ended, Observer } from './journeys.ts'

const words = {
  ready: 'image ready',
  failed: 'image failed',
  retried: 'an attempt broke off, and goes on later',
  stopped: 'an attempt was stopped',
} as const

/** A line when bytes begin to come in, and one with what came of it. */
export function toldTo(log: Log): Observer {
  return {
    around(begun, run) {
      const { image, uid, source, attempt } = begun
      log.info({ image, uid, source, attempt }, 'an image is on its way in')
      return run()
    },
    ended: (ended) => log.info(facts(ended), words[ended.outcome]),
  }
}

/** Seconds to the millisecond; those of each stage, and all together. */
function facts({ image, uid, source, attempt, code, bytes, digest, at, endedAt, stages }: Ended) {
  const spent = Object.entries(stages).map(([stage, { seconds }]) => [stage, rounded(seconds)])
  return {
    image,
    uid,
    source,
    attempt,
    ...(code !== null && { code }),
    ...(digest !== null && { digest }),
    bytes,
    seconds: rounded((endedAt - at) / 1000),
    stages: Object.fromEntries(spent),
  }
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000
}
