import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Outage } from '../../errors.ts'
import type { Log } from '../../log.ts'
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
  { api, resources, now, log }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  if (differenceOf(resource, said, memory) === 'none') return
  const { name, uid } = resource.metadata
  const query = { fieldManager: 'slipway', force: 'true' }
  const path = `${resourcePath(name)}/status`
  const answer = await declared(said, memory, log, async (status) => {
    const body = { apiVersion, kind, metadata: { name, uid }, status }
    return resourceIn(await api.patch(path, 'apply', body, query, signal))
  })
  memory.wroteAt = now()
  memory.written = { said: digest(said), kept: digest(answer.status) }
  resources.learn(answer)
}

/**
 * A definition that is older than this program refuses all of a status for a field that it lacks, one field at a time: those
 * are left out, and the rest is written.
 */
async function declared<Answer>(
  said: Said,
  memory: Memory,
  log: Log,
  write: (status: object) => Promise<Answer>,
): Promise<Answer> {
  try {
    return await write(without(said, memory.undeclared))
  } catch (error) {
    const field = undeclaredIn(error)
    if (field === null || memory.undeclared.includes(field)) throw error
    memory.undeclared = [...memory.undeclared, field]
    log.warn({ field }, older)
    return await declared(said, memory, log, write)
  }
}

const older =
  'the definition in the cluster is older than this program, and a field of the status is left out; upgrade it by "slipway crds", and restart'

/** As the API server says it, which has no code for it; fields of lists are not found. */
function undeclaredIn(error: unknown): string | null {
  if (!(error instanceof Outage)) return null
  return / \.status\.([\w.]+): field not declared in schema/.exec(error.message)?.[1] ?? null
}

function without(said: Said, fields: readonly string[]): object {
  const status = plain(said)
  for (const field of fields) drop(status, field.split('.'))
  return status
}

function drop(value: unknown, [first = '', ...others]: readonly string[]): void {
  if (typeof value !== 'object' || value === null) return
  if (others.length === 0) Reflect.deleteProperty(value, first)
  else drop(Reflect.get(value, first), others)
}

/** The API server leaves what others wrote: to say it again changes nothing. */
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
