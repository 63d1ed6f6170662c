import { readdir, readFile } from 'node:fs/promises'
import { Counter, Gauge, type Registry } from 'prom-client'
import { addEventLoop } from './event-loop.ts'

type Figure = readonly [name: string, help: string, read: () => number | Promise<number>]

const counters: readonly Figure[] = [
  ['process_cpu_user_seconds_total', 'Seconds of a core in the program', () => cpu().user],
  ['process_cpu_system_seconds_total', 'Seconds of a core in the kernel', () => cpu().system],
  ['process_cpu_seconds_total', 'Seconds of a core', () => cpu().user + cpu().system],
]

const gauges: readonly Figure[] = [
  [
    'process_start_time_seconds',
    'When the process began, in seconds since 1970',
    () => performance.timeOrigin / 1000,
  ],
  ['process_resident_memory_bytes', 'Memory of the process', () => process.memoryUsage.rss()],
  [
    'nodejs_heap_size_total_bytes',
    'Memory for objects of JavaScript',
    () => process.memoryUsage().heapTotal,
  ],
  [
    'nodejs_heap_size_used_bytes',
    'What objects of JavaScript take of it',
    () => process.memoryUsage().heapUsed,
  ],
  [
    'nodejs_external_memory_bytes',
    'Memory that objects of JavaScript hold beside it, buffers above all',
    () => process.memoryUsage().external,
  ],
]

/** What only Linux tells. */
const linux: readonly Figure[] = [
  ['process_open_fds', 'Open files', async () => (await readdir('/proc/self/fd')).length],
  ['process_max_fds', 'Files that may be open', mostFiles],
]

/**
 * The figures of this process: cores, memory, files, delay of the event loop; and which program it is. The default metrics
 * of prom-client have more of them, but only all together: among them is an observer of the garbage collection, which makes
 * each small request dearer by a tenth.
 */
export function addProcess(registry: Registry, version: string): void {
  const registers = [registry]
  for (const [name, help, read] of counters) {
    const collect = async function (this: Counter) {
      this.reset()
      this.inc(await read())
    }
    void new Counter({ name, help, registers, collect })
  }
  for (const [name, help, read] of process.platform === 'linux' ? [...gauges, ...linux] : gauges) {
    const collect = async function (this: Gauge) {
      this.set(await read())
    }
    void new Gauge({ name, help, registers, collect })
  }
  addEventLoop(registry)
  addBuild(registry, version)
}

function addBuild(registry: Registry, version: string): void {
  const built = new Gauge({
    name: 'slipway_build_info',
    help: 'Always 1; its labels tell the version of Slipway and of Node',
    labelNames: ['version', 'node'],
    registers: [registry],
  })
  built.set({ version, node: process.versions.node }, 1)
}

/** Seconds. */
function cpu() {
  const { user, system } = process.cpuUsage()
  return { user: user / 1e6, system: system / 1e6 }
}

async function mostFiles(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8')
  const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? []
  return soft === undefined ? Infinity : Number(soft)
}
