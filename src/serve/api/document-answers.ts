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
