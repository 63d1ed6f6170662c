import { disk, mebibyte } from '../disks.ts'
import type { Stage } from './stage.ts'

const size = mebibyte / 2

/** An import that stands in the middle until it is let go. */
export type Paused = {
  readonly name: string
  readonly go: () => void
  /** How often the source was asked for it. */
  readonly imports: () => number
}

/** Creates a resource; resolves when half of its image is in, as the resource says. */
export async function pausedImport(stage: Stage, name: string, seed = 0): Promise<Paused> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const script = { bytes: disk(size, seed), pause: { at: size / 2, until: promise } }
  const url = stage.neighbour.serve(`/${name}`, script)
  await stage.resources.create(name, { type: 'HTTP', http: { url } })
  await stage.resources.reaches(name, 'Provisioning')
  return { name, go: resolve, imports: () => stage.neighbour.count(`/${name}`) }
}

/** Several of them, of different bytes. */
export async function pausedImports(stage: Stage, prefix: string, count: number) {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
  return await Promise.all(names.map((name, index) => pausedImport(stage, name, index)))
}

/** A resource that is Ready. */
export async function readyImage(stage: Stage, name: string, limit?: number): Promise<void> {
  const url = stage.neighbour.serve(`/${name}`, { bytes: disk(size) })
  await stage.resources.create(name, { type: 'HTTP', http: { url } })
  await stage.resources.ready(name, limit)
}
