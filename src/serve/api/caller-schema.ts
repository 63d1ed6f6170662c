import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import type { Reach } from '../auth/role.ts'
import { json, refused } from './document-answers.ts'

export const callerReach = ['read', 'write', 'maintain'] as const satisfies readonly Reach[]

const callerSchema = z
  .object({
    name: z.string().nullable().meta({ description: 'null where no credentials are asked for' }),
    reaches: z.array(z.enum(callerReach)).meta({
      description:
        'To look, to create and delete, to look after the storage; rules for single repositories go further',
    }),
  })
  .meta({ id: 'Caller' })
export type CallerBody = z.input<typeof callerSchema>

export const callerPaths: ZodOpenApiPathsObject = {
  '/api/v1/caller': {
    get: {
      operationId: 'recogniseCaller',
      summary: 'Who asks, and what is open to that one',
      responses: { ...refused, '200': json(callerSchema, 'The caller') },
    },
  },
}
