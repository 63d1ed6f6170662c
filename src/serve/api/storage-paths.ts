import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { z } from 'zod'
import { failure, json, refused } from './document-answers.ts'
import {
  gcRequest,
  runSchema,
  runsSchema,
  scrubRequest,
  sharesSchema,
  storageSchema,
} from './storage-schema.ts'

const beginning = (
  operationId: string,
  summary: string,
  schema: z.ZodType,
  example: Readonly<Record<string, unknown>>,
) => ({
  operationId,
  summary,
  'x-needs': 'admin',
  requestBody: { required: false, content: { 'application/json': { schema, example } } },
  responses: {
    ...refused,
    '202': json(runSchema, 'It runs, or one did already; Location leads to its state'),
    '400': failure('The body is no JSON'),
    '415': failure('The body is not said to be JSON'),
    '422': failure('A field is wrong; `errors` names it'),
  },
})

export const storagePaths: ZodOpenApiPathsObject = {
  '/api/v1/storage': {
    get: {
      operationId: 'getStorage',
      summary: 'How much there is of everything, and the last runs; a few seconds old at most',
      responses: { ...refused, '200': json(storageSchema, 'The figures') },
    },
  },
  '/api/v1/storage/shares': {
    get: {
      operationId: 'listStorageShares',
      summary: 'Who needs how many bytes, each counted once; a few seconds old at most',
      responses: {
        ...refused,
        '200': json(sharesSchema, 'Bytes by the repositories that need them'),
      },
    },
  },
  '/api/v1/storage/gc': {
    post: beginning(
      'collectGarbage',
      'Remove what nothing needs; for admins. Deleting frees at once without it',
      gcRequest,
      { dryRun: true },
    ),
  },
  '/api/v1/storage/scrub': {
    post: beginning(
      'scrub',
      'Read all blobs again and find what is damaged; for admins',
      scrubRequest,
      { rate: '64Mi' },
    ),
  },
  '/api/v1/storage/runs': {
    get: {
      operationId: 'listStorageRuns',
      summary: 'The last collections and scrubs',
      responses: { ...refused, '200': json(runsSchema, 'The newest first') },
    },
  },
  '/api/v1/storage/runs/{id}': {
    get: {
      operationId: 'getStorageRun',
      summary: 'The state of a collection or a scrub',
      requestParams: { path: z.object({ id: z.string().meta({ example: '42' }) }) },
      responses: {
        ...refused,
        '200': json(runSchema, 'The run'),
        '404': failure('There is no such run'),
      },
    },
  },
}
