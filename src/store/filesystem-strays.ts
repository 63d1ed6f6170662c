import type { Stats } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Stray } from './store.ts'

/** A file or folder that belongs to nothing. */
export function strayAt(path: string, { size, mtimeMs }: Stats): Stray {
  const remove = () => rm(path, { recursive: true, force: true })
  return { name: path, size, since: mtimeMs, remove }
}
