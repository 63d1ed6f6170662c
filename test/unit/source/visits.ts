import { buffer } from 'node:stream/consumers'
import { expect } from 'vitest'
import type { Code, Failure } from '../../../src/errors.ts'
import { compileRules } from '../../../src/source/address-rules.ts'
import { httpSource, type HttpOptions } from '../../../src/source/http.ts'
import type { Opened, Resume } from '../../../src/source/source.ts'
import {
  startNeighbour,
  type Neighbour,
  type NeighbourOptions,
} from '../../support/http-neighbour.ts'

/** Nothing here takes longer; a hang fails instead. */
export const deadline = () => AbortSignal.timeout(10_000)

export const loopback = compileRules({ deny: [], allow: ['127.0.0.0/8', '::1'] })

export type Visit = {
  readonly section?: Readonly<Record<string, unknown>>
  readonly options?: Partial<HttpOptions>
  readonly from?: Resume | null
  readonly signal?: AbortSignal
}

export function placeAt(url: string, { section, options }: Visit = {}) {
  const source = httpSource({ rules: loopback, userAgent: 'slipway/test', ...options })
  return source.at({ url, ...section })
}

export function open(url: string, visit: Visit = {}): Promise<Opened> {
  return placeAt(url, visit).open(visit.from ?? null, visit.signal ?? deadline())
}

export async function read(url: string, visit: Visit = {}): Promise<Buffer> {
  return buffer((await open(url, visit)).body)
}

/** Runs a test beside a server of its own, and fails when a connection is left open. */
export async function beside(
  run: (neighbour: Neighbour) => Promise<void>,
  options?: NeighbourOptions,
): Promise<void> {
  await using neighbour = await startNeighbour(options)
  await run(neighbour)
  await neighbour.idle()
}

/** Expects a Failure with this code and gives its message. */
export async function failing(work: Promise<unknown>, code: Code): Promise<Failure> {
  const outcome: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  )
  expect(outcome).toMatchObject({ code })
  return outcome as Failure
}
