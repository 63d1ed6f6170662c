import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { cut, joined } from '../virtual-machine-class/words.ts'

/** What the API server asks, and what it is answered (Kubernetes, "Dynamic Admission Control", Request and Response). */

const [apiVersion, kind] = ['admission.k8s.io/v1', 'AdmissionReview']

/** It is told again, and logged. */
const longestWord = 253

const requestSchema = z.object({
  uid: z.string().min(1).max(longestWord),
  kind: z.object({ kind: z.string().max(longestWord) }),
  operation: z.string(),
  name: z.string().optional(),
  namespace: z.string().max(longestWord).optional(),
  userInfo: z.object({ username: z.string().optional() }).optional(),
  object: z.unknown().optional(),
  /** Null at the creation, or missing. */
  oldObject: z.unknown().optional(),
})

export const reviewSchema = z.object({
  apiVersion: z.literal(apiVersion),
  kind: z.literal(kind),
  request: requestSchema,
})
export type Asked = z.output<typeof requestSchema>

/** One reason of a refusal. */
export type Cause = {
  /** For the log. */
  readonly code: string
  readonly field: string
  readonly message: string
  /** The message for those who are not shown the field. */
  readonly told: string
}

export type PatchOperation = { readonly op: 'add'; readonly path: string; readonly value: string }

export type Verdict =
  | { readonly outcome: 'allowed' }
  | { readonly outcome: 'denied'; readonly causes: readonly Cause[] }
  | { readonly outcome: 'patched'; readonly patch: readonly PatchOperation[] }

export const allowed: Verdict = { outcome: 'allowed' }

/** Allowed without causes. */
export function verdictOf(causes: readonly Cause[]): Verdict {
  return causes.length === 0 ? allowed : { outcome: 'denied', causes }
}

/** Causes that an answer lists; all of them are told in its message, as far as that goes. */
const mostListed = 100

export function answerTo(asked: Asked, verdict: Verdict): object {
  return { apiVersion, kind, response: { uid: asked.uid, ...responseOf(asked, verdict) } }
}

function responseOf(asked: Asked, verdict: Verdict): object {
  if (verdict.outcome === 'allowed') return { allowed: true }
  if (verdict.outcome === 'denied') return { allowed: false, status: refusal(asked, verdict) }
  const patch = Buffer.from(JSON.stringify(verdict.patch)).toString('base64')
  return { allowed: true, patchType: 'JSONPatch', patch }
}

/** An object whose name is generated has it in itself alone. */
export function nameOf({ name, object }: Asked): string {
  const own = partOf(object, ['metadata', 'name'])
  return name || (typeof own === 'string' ? own : '')
}

function refusal(asked: Asked, { causes }: { readonly causes: readonly Cause[] }) {
  const listed = causes.slice(0, mostListed).map(({ field, message }) => {
    return { reason: 'FieldValueInvalid', field: cut(field), message: cut(message) }
  })
  return {
    code: 422,
    reason: 'Invalid',
    message: joined(causes.map(({ told }) => ({ message: told }))),
    details: { kind: asked.kind.kind, name: cut(nameOf(asked)), causes: listed },
  }
}

/** What is at a path of an object that may be anything. */
export function partOf(value: unknown, path: readonly PropertyKey[]): unknown {
  const [first, ...others] = path
  if (first === undefined) return value
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, first)) return undefined
  return partOf(Reflect.get(value, first), others)
}

/** Whether nothing has changed there. */
export function isUnchanged(
  { operation, object, oldObject }: Asked,
  path: readonly PropertyKey[],
): boolean {
  return operation === 'UPDATE' && isSame(partOf(object, path), partOf(oldObject, path))
}

function isSame(one: unknown, other: unknown): boolean {
  try {
    return isDeepStrictEqual(one, other)
  } catch (error) {
    // Nested too deeply for the stack: what cannot be compared may have changed.
    if (error instanceof RangeError) return false
    throw error
  }
}

/** What goes is not kept from it, and what is done otherwise than by writing an object is not for us. */
export function isOfNoConcern({ operation, object }: Asked): boolean {
  const isWritten = operation === 'CREATE' || operation === 'UPDATE'
  return !isWritten || partOf(object, ['metadata', 'deletionTimestamp']) !== undefined
}
