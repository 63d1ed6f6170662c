import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Outage } from '../errors.ts'
import type { Log } from '../log.ts'
import { resourceIn, type Place, type Resource, type ResourceKind } from './custom-resource.ts'

/** What is remembered of the statuses that were written. */
export type Written = {
  /** Fields of the status that the definition in the cluster lacks, such as `size.stored`. */
  undeclared: readonly string[]
  /** Digests of what was written last, and of what the API server made of it. */
  written: { readonly said: string; readonly kept: string } | null
}

/** Whether a resource says so already. */
export function isWritten({ status }: Resource, said: object, memory: Written): boolean {
  return isDeepStrictEqual(plain(status ?? {}), plain(said)) || isKept(memory, said, status)
}

/**
 * Writes a status: by server-side apply, so that what is said no more goes, too, and for this uid alone.
 * @throws Refusal CLUSTER_CONFLICT for another resource of the name, CLUSTER_NOT_FOUND; Outage CLUSTER_UNAVAILABLE
 */
export async function applyStatus<Item extends Resource>(
  kind: ResourceKind<Item>,
  { metadata: { name, uid } }: Item,
  said: object,
  memory: Written,
  { api, resources, log }: Place<Item> & { readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  const query = { fieldManager: 'slipway', force: 'true' }
  const path = `${kind.path}/${name}/status`
  const answer = await declared(said, memory, log, async (status) => {
    const { apiVersion } = kind
    const body = { apiVersion, kind: kind.kind, metadata: { name, uid }, status }
    return resourceIn(kind, await api.patch(path, 'apply', body, query, signal))
  })
  memory.written = { said: digest(said), kept: digest(answer.status) }
  resources.learn(answer)
}

/**
 * A definition that is older than this program refuses all of a status for a field that it lacks, one field at a time: those
 * are left out, and the rest is written.
 */
async function declared<Answer>(
  said: object,
  memory: Written,
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

function without(said: object, fields: readonly string[]): object {
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
function isKept({ written }: Written, said: object, status: unknown): boolean {
  return written?.said === digest(said) && written.kept === digest(status)
}

function digest(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(value ?? null))
    .digest('base64')
}

/** As it is once it was written. */
export function plain(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value))
}
