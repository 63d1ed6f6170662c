import type { z } from 'zod'
import { problemSchema } from './schema.ts'

export const json = (schema: z.ZodType, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

export const failure = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
})

/** Where there are credentials. */
export const refused = {
  '401': failure('Credentials are missing or wrong'),
  '403': failure('The caller may not do this'),
  '429': failure(
    'Too many failed attempts from this address; Retry-After tells when to come again',
  ),
  '503': failure(
    'It cannot be found out at present who the caller is; Retry-After tells when to come again',
  ),
}
