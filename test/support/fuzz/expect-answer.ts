import { expect } from 'vitest'
import { z } from 'zod'
import { describeFailures } from '../../../src/errors.ts'
import { problemSchema } from '../../../src/serve/api/schema.ts'
import { specifiedCodes } from '../conformance-refusal.ts'
import { secretOfSources } from './requests.ts'
import type { Answer, Asking } from './wire-client.ts'

const statuses: ReadonlyMap<string, number> = new Map(
  describeFailures().map(({ code, status }) => [code, status]),
)
/** OCI distribution-spec, "Error Codes", and 429. */
const ociCodes: ReadonlySet<string> = new Set(specifiedCodes)
const envelopeSchema = z.strictObject({
  errors: z.tuple([
    z.strictObject({
      code: z.string(),
      message: z.string(),
      detail: z.record(z.string(), z.unknown()).optional(),
    }),
  ]),
})
const oauthSchema = z.strictObject({ error: z.string(), error_description: z.string().optional() })

/** What tells how the service is built or where it lies. */
const inside = /node_modules|file:\/\/|node:internal|\.ts:\d|^\s+at |root:x:0:/m

/**
 * Holds an answer to a bad request against what every answer promises.
 * @param folder of the service's data, which nobody is told
 */
export function expectAnswer(asking: Asking, answer: Answer, folder: string): void {
  const { status, headers, bytes } = answer
  const text = bytes.toString('latin1')
  const told = `${asking.method} ${asking.path.slice(0, 200)} ${JSON.stringify(asking.headers).slice(0, 300)}: ${status} ${text.slice(0, 300)}`
  expect(status, told).toBeGreaterThanOrEqual(200)
  expect(isAllowed(status, asking), told).toBe(true)
  if (status < 400) return
  expect(text.includes(folder) || inside.test(text), told).toBe(false)
  expect(text.includes(secretOfSources()), told).toBe(false)
  if (text === '') expect(asking.method === 'HEAD' || wordless.has(status), told).toBe(true)
  else expectFailure(answer, told)
  if (status === 429 || status === 503)
    expect(Number(headers['retry-after']), told).toBeGreaterThan(0)
  if (status === 401) expect(headers['www-authenticate'], told).toBeDefined()
  if (status === 405) expect(headers.allow, told).toBeDefined()
}

/** Another version of tus. */
const wordless = new Set([412])

/** The source is somebody else, and storage that is known to be too small is said so. */
function isAllowed(status: number, { path }: Asking): boolean {
  if (status < 500) return true
  if (status === 502) return path.startsWith('/api/v1/probe')
  return status === 507 && /^\/(?:upload|api\/v1\/images|v2)/.test(path)
}

function expectFailure({ status, headers, bytes }: Answer, told: string): void {
  const type = headers['content-type']
  // Below the routes: what is no request.
  if (type === 'text/plain') expect([400, 408, 413, 417, 431], told).toContain(status)
  else if (type === 'application/problem+json') expectProblem(status, bytes, told)
  else expectEnvelope(type, bytes, told)
}

function expectProblem(status: number, bytes: Buffer, told: string): void {
  const problem = problemSchema.parse(JSON.parse(bytes.toString()))
  expect(statuses.get(problem.code), told).toBe(problem.status)
  // tus 1.0 has a status of its own for a checksum that differs.
  expect(status === 460 || status === problem.status, told).toBe(true)
  expect(problem.detail.length, told).toBeLessThan(20_000)
}

function expectEnvelope(type: string | undefined, bytes: Buffer, told: string): void {
  expect(type, told).toBe('application/json')
  const body: unknown = JSON.parse(bytes.toString())
  if (oauthSchema.safeParse(body).success) return
  const [{ code, message }] = envelopeSchema.parse(body).errors
  expect(ociCodes, told).toContain(code)
  expect(message.length, told).toBeLessThan(20_000)
}
