import type { ImportMetrics } from '../metrics/imports.ts'
import type { Observer } from '../work/journeys.ts'

/** Tells the metrics of every attempt. */
export function counted(metrics: ImportMetrics): Observer {
  return {
    around({ source }, run) {
      metrics.began(source)
      return run()
    },
    came: ({ source }, bytes) => metrics.came(source, bytes),
    ended({ source, outcome, code, stages }) {
      const spent = Object.entries(stages).map(([stage, { seconds }]) => [stage, seconds])
      metrics.ended(source, { outcome, code }, Object.fromEntries(spent))
    },
  }
}
