import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { failure, json, refused } from './document-answers.ts'
import { evaluateRequest, evaluationSchema } from './machine-class-schema.ts'

const example = {
  class: {
    metadata: { name: 'generic' },
    spec: { sizingPolicies: [{ cores: { min: 1, max: 4 }, memory: { min: '1Gi', max: '8Gi' } }] },
  },
  machine: {
    metadata: { name: 'linux-vm' },
    spec: { virtualMachineClassName: 'generic', cpu: { cores: 2 }, memory: { size: '16Gi' } },
  },
}

/** `/api/v1/virtual-machine-classes` in the OpenAPI document. */
export const machineClassPaths: ZodOpenApiPathsObject = {
  '/api/v1/virtual-machine-classes/evaluate': {
    post: {
      operationId: 'evaluateMachine',
      'x-needs': 'viewer',
      summary: 'Whether a virtual machine fits its class, and all that keeps it from it',
      requestBody: {
        required: true,
        content: { 'application/json': { schema: evaluateRequest, example } },
      },
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
