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
