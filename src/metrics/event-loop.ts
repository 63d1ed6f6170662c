import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Gauge, type Registry } from 'prom-client'

/** Milliseconds from one look at the clock to the next, which are part of what is measured. */
const resolution = 20

type Delay = Pick<ReturnType<typeof monitorEventLoopDelay>, 'mean' | 'max' | 'percentile'>
type Figure = readonly [name: string, what: string, read: (delay: Delay) => number]

const figures: readonly Figure[] = [
  ['mean', 'in the mean', ({ mean }) => mean],
  ['p50', 'half of the time at most', (delay) => delay.percentile(50)],
  ['p90', '90 of 100 times at most', (delay) => delay.percentile(90)],
  ['p99', '99 of 100 times at most', (delay) => delay.percentile(99)],
  ['max', 'at worst', ({ max }) => max],
]

/** How late the event loop is, which is what everything waits for. */
export function addEventLoop(registry: Registry): void {
  const delay = monitorEventLoopDelay({ resolution })
  delay.enable()
  const look = () => {
    if (delay.count === 0) return
    for (const [gauge, read] of gauges) gauge.set(Math.max(0, read(delay) / 1e9 - resolution / 1e3))
    delay.reset()
  }
  const gauges = figures.map(([figure, what, read], at) => {
    const name = `nodejs_eventloop_lag_${figure}_seconds`
    const help = `How late the event loop was since the last scrape, ${what}`
    // The first is asked first, and looks for all.
    const collect = at === 0 ? { collect: look } : {}
    return [new Gauge({ name, help, registers: [registry], ...collect }), read] as const
  })
}
