import { expect } from 'vitest'
import { z } from 'zod'
import type { Reply } from './conformance-registry.ts'

/** OCI distribution-spec, "Error Codes". */
export const specifiedCodes = [
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'UNAUTHORIZED',
  'DENIED',
  'UNSUPPORTED',
  'TOOMANYREQUESTS',
] as const
export type SpecifiedCode = (typeof specifiedCodes)[number]

const schema = z.strictObject({
  errors: z.tuple([
    z.strictObject({
      code: z.enum(specifiedCodes),
      message: z.string().min(1),
      // Clients print it, so it is there only when it says more.
      detail: z
        .strictObject({
          code: z.string().min(1).optional(),
          digests: z.array(z.string()).min(1).optional(),
        })
        .refine((detail) => Object.keys(detail).length > 0)
        .optional(),
    }),
  ]),
})

/** Holds a refusal against the specification's envelope. @returns the one error that it tells */
export function expectRefusal(reply: Reply, status: number, code: SpecifiedCode) {
  expect({ status: reply.status, body: reply.bytes.toString() }).toMatchObject({ status })
  expect(reply.header('content-type')).toBe('application/json')
  expect(reply.header('docker-distribution-api-version')).toBe('registry/2.0')
  const [error] = schema.parse(reply.json()).errors
  expect(error).toMatchObject({ code })
  return error
}
