import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client'

/** Gauges that are named like counters, and what Node does not promise to know. */
const leftOut = ['resources_total', 'handles', 'handles_total', 'requests', 'requests_total']

/** The figures of this process: cores, memory, files, garbage collection, delay of the event loop; and which program it is. */
export function addProcess(registry: Registry, version: string): void {
  collectDefaultMetrics({ register: registry })
  for (const name of leftOut) registry.removeSingleMetric(`nodejs_active_${name}`)
  const built = new Gauge({
    name: 'slipway_build_info',
    help: 'Always 1; its labels tell the version of Slipway and of Node',
    labelNames: ['version', 'node'],
    registers: [registry],
  })
  built.set({ version, node: process.versions.node }, 1)
}
