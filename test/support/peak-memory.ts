import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** Whether this system tells it. */
export function tellsMemory(): boolean {
  return existsSync('/proc/self/status')
}

/** The most memory that a process ever held, in bytes (proc(5), VmHWM). */
export async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}
