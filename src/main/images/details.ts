import type { Image } from '../../client/images.ts'
import { plain } from '../plain.ts'
import { adviceOf, troubleOf } from './advice.ts'
import { ageOf, movementOf, phaseOf } from './row.ts'

type Fact = readonly [name: string, value: string]

/**
 * All that is known of an image, what is the matter and what to do first.
 * @param now milliseconds since 1970
 */
export function detailsOf(image: Image, now: number): string {
  const facts = [
    ...some({ name: image.name, phase: phaseOf(image.status) }),
    ...some({ trouble: troubleOf(image), 'to do': adviceOf(image) ?? undefined }),
    ...transferOf(image),
    ...diskOf(image),
    ...some({ from: fromOf(image), ...prefixed('source', image.status.source) }),
    ...some({ ...prefixed('target', image.status.target), ...prefixed('', image.status.details) }),
    ...some({ uid: image.uid, owner: image.owner?.uid, generation: image.generation }),
    ...some({ created: `${image.createdAt} (${ageOf(image.createdAt, now)} ago)` }),
    ...image.status.conditions.map(conditionOf),
  ]
  const width = Math.max(...facts.map(([name]) => name.length)) + 2
  return facts.map(([name, value]) => `${plain(name).padEnd(width)}${plain(value)}\n`).join('')
}

function transferOf({ status }: Image): Fact[] {
  const { receivedBytes, upload, retries, nextRetryAt } = status
  const received = receivedBytes === undefined ? undefined : `${receivedBytes} bytes`
  const { offset, length, expiresAt } = upload ?? {}
  return some({
    received,
    moves: movementOf(status),
    'upload offset': offset,
    'upload length': length,
    'upload expires': expiresAt,
    retries,
    'next retry': nextRetryAt,
  })
}

function diskOf({ status }: Image): Fact[] {
  const { format, bootable, architecture, size, allocatedBytes } = status
  return some({
    format,
    bootable,
    architecture,
    size: size && `${size.unpacked} (${size.unpackedBytes} bytes)`,
    stored: size && `${size.stored} (${size.storedBytes} bytes)`,
    allocated: allocatedBytes === undefined ? undefined : `${allocatedBytes} bytes`,
  })
}

function fromOf({ dataSource }: Image): string {
  const { type, http, containerImage, objectRef } = dataSource
  return [type, http?.url ?? containerImage?.image ?? objectRef?.name ?? ''].join(' ').trimEnd()
}

function conditionOf({
  type,
  status,
  reason,
  message,
}: Image['status']['conditions'][number]): Fact {
  return [`condition ${type}`, `${status} (${reason})${message && `: ${message}`}`]
}

function prefixed(prefix: string, facts: object = {}): { readonly [name: string]: unknown } {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [`${prefix} ${name}`.trimStart(), value]),
  )
}

/** Those that there are. */
function some(facts: { readonly [name: string]: unknown }): Fact[] {
  return Object.entries(facts).flatMap(([name, value]): Fact[] => {
    if (value === undefined || value === null || value === '') return []
    return [[name, typeof value === 'string' ? value : JSON.stringify(value)]]
  })
}
