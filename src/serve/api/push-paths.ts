import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { told, unwelcome } from './registry-answers.ts'

const session = z.string().meta({
  description: 'As Location told it',
  example: '11111111-2222-4333-8444-555555555555',
})
const bytes = { required: true, content: { 'application/octet-stream': {} } } as const
const lost = {
  ...unwelcome,
  '400': told('The name, the digest or a header is wrong, or the connection broke'),
  '404': told('There is no such upload'),
}

/** Where blobs are pushed, in the OpenAPI document. */
export function sessionPaths(repository: z.ZodString): ZodOpenApiPathsObject {
  const ofSession = { path: z.object({ repository, session }) }
  return {
    '/v2/{repository}/blobs/uploads/': {
      post: {
        operationId: 'beginPush',
        summary: 'Begin to push a blob, push it at once with `digest`, or mount it with `mount`',
        requestParams: {
          path: z.object({ repository }),
          query: z.object({
            digest: z.string().optional(),
            mount: z.string().optional(),
            from: z.string().optional(),
          }),
        },
        responses: {
          ...lost,
          '201': { description: 'The blob is here; Location leads to it' },
          '202': { description: 'Location is where its bytes go' },
        },
      },
    },
    '/v2/{repository}/blobs/uploads/{session}': {
      get: {
        operationId: 'measurePush',
        summary: 'How much is here, in Range',
        'x-needs': 'editor',
        requestParams: ofSession,
        responses: { ...lost, '204': { description: 'Range tells it' } },
      },
      patch: {
        operationId: 'pushChunk',
        summary: 'The next bytes',
        requestParams: {
          ...ofSession,
          header: z.object({ 'Content-Range': z.string().optional() }),
        },
        requestBody: bytes,
        responses: {
          ...lost,
          '202': { description: 'They are here' },
          '416': told('Not the next byte; Range tells what is here'),
        },
      },
      put: {
        operationId: 'finishPush',
        summary: 'The last bytes, if any are left, and the digest of all',
        requestParams: {
          ...ofSession,
          query: z.object({
            digest: z.string().meta({ example: `sha256:${'0'.repeat(64)}` }),
          }),
        },
        responses: {
          ...lost,
          '201': { description: 'The blob is here; Location leads to it' },
          '416': told('Not the next byte; Range tells what is here'),
        },
      },
      delete: {
        operationId: 'cancelPush',
        summary: 'Give the push up',
        requestParams: ofSession,
        responses: { ...lost, '204': { description: 'It is gone' } },
      },
    },
  }
}
