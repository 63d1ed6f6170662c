import type { z } from 'zod'
import type { OwnedImage } from '../../client/images.ts'
import type { Phase, ReadyReason, SourceReason } from '../../image/phase.ts'
import { conditionSchema } from '../../image/status.ts'
import type { ClusterVirtualImage } from '../resource.ts'

export type Condition = z.output<typeof conditionSchema>

/** All that we say of a resource. */
export type Said = {
  readonly [field: string]: unknown
  readonly phase: string
  readonly conditions: readonly Condition[]
}

/** What the companion itself finds, before the service has an image. */
export type Finding = {
  readonly phase: Extract<Phase, 'Pending' | 'Failed'>
  readonly reason: ReadyReason
  readonly source: SourceReason | 'ContainerRegistrySecretNotFound'
  readonly message: string
}

/** What the service says, of the resource's own generation. */
export function saidOfImage(
  { metadata: { generation = 1 } }: ClusterVirtualImage,
  { status }: OwnedImage,
  sourceUid: string | null,
): Said {
  const conditions = status.conditions.map((condition) => ({
    ...condition,
    message: short(condition.message),
    observedGeneration: generation,
  }))
  return {
    ...status,
    ...(sourceUid !== null && { sourceUID: sourceUid }),
    observedGeneration: generation,
    conditions,
  }
}

export function saidOfFinding(
  resource: ClusterVirtualImage,
  { phase, reason, source, message }: Finding,
  now: number,
): Said {
  const isFine = source === 'DatasourceReady'
  return {
    phase,
    ...(phase === 'Pending' && { progress: '0%' }),
    observedGeneration: resource.metadata.generation ?? 1,
    conditions: [
      since(resource, now, {
        type: 'DatasourceReady',
        status: isFine ? 'True' : 'False',
        reason: source,
        message: isFine ? '' : message,
      }),
      since(resource, now, { type: 'Ready', status: 'False', reason, message }),
    ],
  }
}

/**
 * The service cannot be asked: nothing that is known of the image changes but whether it is Ready.
 * @param known what is said otherwise; null for what was said last
 */
export function saidWhileAway(
  resource: ClusterVirtualImage,
  known: Said | null,
  message: string,
  now: number,
): Said {
  const ready = since(resource, now, {
    type: 'Ready',
    status: 'Unknown',
    reason: 'ServiceUnavailable',
    message,
  })
  return replacing(resource, known ?? lastSaid(resource), ready)
}

/** What is true of an image only while it comes in. */
const passing = new Set([
  'progress',
  'downloadSpeed',
  'remaining',
  'remainingSeconds',
  'uploadCommand',
  'imageUploadURLs',
  'upload',
])

/** The resource is being deleted, and its image with it. */
export function saidWhileLeaving(resource: ClusterVirtualImage, now: number): Said {
  const { conditions, ...said } = lastSaid(resource)
  const lasting = Object.fromEntries(Object.entries(said).filter(([field]) => !passing.has(field)))
  const before = conditionOf(conditions, 'Ready')
  const isKnown = before?.status === 'True' || before?.status === 'False'
  const ready = since(resource, now, {
    type: 'Ready',
    status: 'False',
    reason: isKnown ? before.reason : 'ProvisioningNotStarted',
    message: 'the image is being deleted',
  })
  return replacing(resource, { ...lasting, phase: 'Terminating', conditions }, ready)
}

export function conditionOf(
  conditions: readonly Condition[] | undefined,
  type: Condition['type'],
): Condition | null {
  return conditions?.find((condition) => condition.type === type) ?? null
}

function replacing({ metadata }: ClusterVirtualImage, said: Said, ready: Condition): Said {
  const others = said.conditions.filter(({ type }) => type !== 'Ready')
  const { generation = 1 } = metadata
  return { ...said, observedGeneration: generation, conditions: [...others, ready] }
}

/** What is in the resource, as far as it is ours. */
function lastSaid({ status }: ClusterVirtualImage): Said {
  if (!status) return { phase: 'Pending', conditions: [] }
  const { phase = 'Pending', conditions = [] } = status
  return { ...status, phase, conditions: conditions.flatMap((one) => ours(one) ?? []) }
}

function ours(condition: object): Condition | null {
  return conditionSchema.safeParse({ observedGeneration: 1, ...condition }).data ?? null
}

/** A condition's time is that of its last change of status or reason, not of its message. */
function since(
  { metadata: { generation = 1 }, status }: ClusterVirtualImage,
  now: number,
  told: Pick<Condition, 'type' | 'status' | 'reason' | 'message'>,
): Condition {
  const before = status?.conditions?.find(({ type }) => type === told.type)
  const isSame = before?.status === told.status && before.reason === told.reason
  const lastTransitionTime = isSame ? before.lastTransitionTime : new Date(now).toISOString()
  const message = short(told.message)
  return { ...told, message, lastTransitionTime, observedGeneration: generation }
}

/** Of a message, in characters: the definition takes 32 768, and would refuse the whole status for more. */
const longest = 16_384

function short(message: string): string {
  return message.length > longest ? `${message.slice(0, longest)}…` : message
}
