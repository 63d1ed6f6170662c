import { createHash } from 'node:crypto'
import type { ImageBody } from '../../image/status.ts'

/** What an image's ETag says of it: the state that only events change, and how far its transfer is. */
export type ImageTag = {
  readonly whole: string
  /** How the tags begin of all that differ from this in progress alone. */
  readonly state: string
}

export function tagOf(body: ImageBody): ImageTag {
  const { progress, receivedBytes, downloadSpeed, remaining, remainingSeconds, ...status } =
    body.status
  const movement = { progress, receivedBytes, downloadSpeed, remaining, remainingSeconds }
  const state = `"${hash({ ...body, status })}`
  return { state, whole: `${state}${hash(movement)}"` }
}

/** Whether If-None-Match names the same state, however far the transfer is. */
export function matchesState(header: string | undefined, { state }: ImageTag): boolean {
  const tags = header?.split(',').map((part) => part.trim().replace(/^W\//, '')) ?? []
  return tags.some((tag) => tag === '*' || tag.startsWith(state))
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 22)
}
