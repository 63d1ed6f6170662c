import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os'

export type Machine = {
  readonly cores: number
  readonly cpu: string
  /** Bytes. */
  readonly memory: number
  readonly kernel: string
  readonly node: string
  /** Of the last minute, before anything was measured: what else the machine had to do. */
  readonly load: number
}

export function describeMachine(): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memory: totalmem(),
    kernel: `${platform()} ${release()}`,
    node: process.version,
    load: loadavg()[0] ?? 0,
  }
}

/** The cores that this process may run on (proc_pid_status(5)); none where there is no /proc. */
export function allowedCores(): readonly number[] {
  if (process.platform !== 'linux') return []
  const status = readFileSync('/proc/self/status', 'latin1')
  const list = /^Cpus_allowed_list:\s+([\d,-]+)$/m.exec(status)?.[1] ?? ''
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, at) => first + at)
  })
}

/**
 * One for a server alone, another one for its clients.
 * @throws Error where there is one only
 */
export function twoCores(): { readonly server: number; readonly clients: number } {
  const [server, clients] = allowedCores()
  if (server === undefined || clients === undefined) {
    throw new Error('this takes two cores of Linux, one for the server and one for its clients')
  }
  return { server, clients }
}
