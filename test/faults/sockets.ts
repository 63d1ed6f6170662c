import { readdir, readlink } from 'node:fs/promises'
import { expect } from 'vitest'

/** How often a process holds what; `socket` and `pipe` are all alike, files are told by their names. */
export type Held = ReadonlyMap<string, number>

export async function heldBy(pid: number): Promise<Held> {
  const folder = `/proc/${pid}/fd`
  // What is closed meanwhile has no name any more.
  const names = (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => null))
  const kinds = (await Promise.all(names)).map((name) => name?.replace(/:\[\d+\]$/, '') ?? '')
  const held = new Map<string, number>()
  for (const kind of kinds) held.set(kind, (held.get(kind) ?? 0) + 1)
  held.delete('')
  return held
}

/** When everybody has gone, nothing is held that was not before. @param limit milliseconds */
export async function expectNoMore(pid: number, before: Held, limit: number): Promise<void> {
  const more = async () => {
    const held = await heldBy(pid)
    const grown = [...held].map(([kind, count]) => [kind, count - (before.get(kind) ?? 0)] as const)
    return Object.fromEntries(grown.filter(([, count]) => count > 0))
  }
  await expect.poll(more, { message: 'held beyond what was', timeout: limit }).toEqual({})
}
