import { isDeepStrictEqual } from 'node:util'
import { applyStatus, isWritten, plain } from '../apply-status.ts'
import { clusterVirtualImage, type ClusterVirtualImage } from '../resource.ts'
import type { Memory } from './kept.ts'
import type { Said } from './status.ts'
import type { Surroundings } from './surroundings.ts'

/** What moves all the time while an image comes in. */
const moving = new Set([
  'progress',
  'receivedBytes',
  'downloadSpeed',
  'remaining',
  'remainingSeconds',
])

/** How what is to be said stands to what is said: `moving` where nothing else has changed. */
export type Difference = 'none' | 'moving' | 'all'

export function differenceOf(
  resource: ClusterVirtualImage,
  said: Said,
  memory: Memory,
): Difference {
  if (isWritten(resource, said, memory)) return 'none'
  const [before, after] = [plain(resource.status ?? {}), plain(said)]
  return isDeepStrictEqual(resting(before), resting(after)) ? 'moving' : 'all'
}

/** The one place where a status is written. Throws as `applyStatus`. */
export async function writeStatus(
  resource: ClusterVirtualImage,
  said: Said,
  memory: Memory,
  around: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  if (differenceOf(resource, said, memory) === 'none') return
  await applyStatus(clusterVirtualImage, resource, said, memory, around, signal)
  memory.wroteAt = around.now()
}

function resting(status: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(status).filter(([field]) => !moving.has(field)))
}
