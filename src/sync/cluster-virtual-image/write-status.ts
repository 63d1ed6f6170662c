import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { apiVersion, kind, resourcePath, type ClusterVirtualImage } from '../resource.ts'
import { resourceIn } from './finalizer.ts'
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
  const [before, after] = [plain(resource.status ?? {}), plain(said)]
  if (isDeepStrictEqual(before, after) || isKept(memory, said, resource)) return 'none'
  return isDeepStrictEqual(resting(before), resting(after)) ? 'moving' : 'all'
}

/**
 * The one place where a status is written: by server-side apply, so that what is said no more goes, too, and for this uid
 * alone.
 * @throws Refusal CLUSTER_CONFLICT for another resource of the name, CLUSTER_NOT_FOUND; Outage CLUSTER_UNAVAILABLE
 */
export async function writeStatus(
  resource: ClusterVirtualImage,
  said: Said,
  memory: Memory,
  { api, resources, now }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  if (differenceOf(resource, said, memory) === 'none') return
  const { name, uid } = resource.metadata
  const body = { apiVersion, kind, metadata: { name, uid }, status: said }
  const query = { fieldManager: 'slipway', force: 'true' }
  const path = `${resourcePath(name)}/status`
  const answer = resourceIn(await api.patch(path, 'apply', body, query, signal))
  memory.wroteAt = now()
  memory.written = { said: digest(said), kept: digest(answer.status) }
  resources.learn(answer)
}

/** The API server drops what its schema does not know, and leaves what others wrote: to say it again changes nothing. */
function isKept({ written }: Memory, said: Said, { status }: ClusterVirtualImage): boolean {
  return written?.said === digest(said) && written.kept === digest(status)
}

function digest(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(value ?? null))
    .digest('base64')
}

function plain(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value))
}

function resting(status: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(status).filter(([field]) => !moving.has(field)))
}
