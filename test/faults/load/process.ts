import { readdir, readFile, readlink } from 'node:fs/promises'
import type { Line } from './line.ts'

/**
 * What each thread has some of, and threads stay; and what libuv keeps to have one when no other is left: `/dev/null` until
 * it was needed, `/` from then on.
 */
const ofRuntime = /^(?:anon_inode:.*|pipe:.*|\/dev\/null|\/)$/

/** Open descriptors by what they lead to: a path, or the kind of what has none. */
export async function descriptorsOf(pid: number): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {}
  for (const name of await readdir(`/proc/${pid}/fd`)) {
    const target = await targetOf(`/proc/${pid}/fd/${name}`)
    if (target === null || ofRuntime.test(target)) continue
    const kind = target.replace(/:\[.*$/, '')
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** Before anybody is connected: those that listen. */
export function socketsOf({ socket = 0 }: Readonly<Record<string, number>>) {
  return { socket }
}

export async function countDescriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length
}

/** Null for one that was closed meanwhile. */
async function targetOf(path: string): Promise<string | null> {
  try {
    return await readlink(path)
  } catch {
    return null
  }
}

/** Memory that a process holds now, in bytes (proc(5), VmRSS). */
export async function memoryOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}

/** What `/metrics` tells. Each look begins a new measurement of the event loop's delay. */
export class Scrape {
  readonly #text: string

  private constructor(text: string) {
    this.#text = text
  }

  static async by(line: Line): Promise<Scrape> {
    return new Scrape((await line.ask('/metrics', [200])).body.toString())
  }

  /** The sum over all labels; 0 without any. @param labels a part of what stands in the braces */
  sum(name: string, labels = ''): number {
    return this.#text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .filter((line) => line.includes(labels))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
  }
}
