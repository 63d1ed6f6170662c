import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { failure, json, refused } from './document-answers.ts'
import { evaluateRequest, evaluationSchema } from './machine-class-schema.ts'

/** `/api/v1/virtual-machine-classes` in the OpenAPI document. */
export const machineClassPaths: ZodOpenApiPathsObject = {
  '/api/v1/virtual-machine-classes/evaluate': {
    post: {
      operationId: 'evaluateMachine',
      summary: 'Whether a virtual machine fits its class, and all that keeps it from it',
      requestBody: { required: true, content: { 'application/json': { schema: evaluateRequest } } },
      responses: {
        ...refused,
        '200': json(evaluationSchema, 'The verdict, whichever it is'),
        '400': failure('The body is no JSON'),
        '413': failure('The body is too large'),
        '415': failure('The body is not said to be JSON'),
        '422': failure('A field of the class or the machine is wrong; `errors` names it'),
      },
    },
  },
}
