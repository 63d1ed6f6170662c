import { readFile, writeFile } from 'node:fs/promises'

export type Usage = {
  /** User and system time of all threads since the start, in seconds. */
  readonly cpu: number
  /** The most memory that the process had, in bytes, since it was last forgotten. */
  readonly peakMemory: number
}

/** proc_pid_clear_refs(5): 5 makes the peak what the process has now. */
export async function forgetPeak(pid: number | null): Promise<void> {
  if (pid === null || process.platform !== 'linux') return
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}

/** Linux tells processor time in hundredths of a second to programs, whatever the kernel's own tick is (time(7)). */
const ticks = 100

/** Null where there is no /proc. */
export async function usageOf(pid: number | null): Promise<Usage | null> {
  if (pid === null || process.platform !== 'linux') return null
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'latin1'),
    readFile(`/proc/${pid}/status`, 'latin1'),
  ])
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
  return { cpu: cpuSeconds(stat), peakMemory: Number(peak) * 1024 }
}

/** proc_pid_stat(5): utime and stime are fields 14 and 15; the second one, a name, may hold spaces. */
function cpuSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks
}

/** proc_pid_io(5): bytes that the process gave to files and sockets since its start. Null where there is no /proc. */
export async function writtenBy(pid: number | null): Promise<number | null> {
  if (pid === null || process.platform !== 'linux') return null
  const io = await readFile(`/proc/${pid}/io`, 'latin1')
  return Number(/^wchar: (\d+)$/m.exec(io)?.[1])
}
