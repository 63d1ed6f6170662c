import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { failure, refused } from './document-answers.ts'

const text = (description: string) => ({ description, content: { 'text/plain': {} } })
const page = {
  '200': { description: 'The page', content: { 'text/html': {} } },
  '304': { description: 'If-None-Match names it' },
}

/** What is served beside the API itself, in the OpenAPI document. */
export const servicePaths: ZodOpenApiPathsObject = {
  '/healthz': {
    get: {
      operationId: 'isAlive',
      summary: 'Whether the process answers',
      security: [],
      responses: { '200': text('It does') },
    },
  },
  '/readyz': {
    get: {
      operationId: 'isReady',
      summary: 'Whether it can do its work',
      security: [],
      responses: { '200': text('It can'), '503': text('What keeps it from that, a line each') },
    },
  },
  '/metrics': {
    get: {
      operationId: 'readMetrics',
      summary: 'Metrics for Prometheus',
      'x-needs': 'any role',
      responses: { ...refused, '200': text('The metrics') },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'readDocument',
      summary: 'This document',
      security: [],
      responses: {
        '200': { description: 'OpenAPI 3.1', content: { 'application/json': {} } },
      },
    },
  },
  '/docs': {
    get: {
      operationId: 'readDocs',
      summary: 'This document as a page',
      security: [],
      responses: page,
    },
  },
  '/': {
    get: {
      operationId: 'readPage',
      summary: 'The page for people',
      security: [],
      responses: page,
    },
  },
  '/assets/{version}/{path}': {
    get: {
      operationId: 'readAsset',
      summary: 'What the pages load',
      security: [],
      requestParams: {
        path: z.object({
          version: z.string().meta({ example: '0123456789abcdef' }),
          path: z.string().meta({ example: 'page/style.css' }),
        }),
      },
      responses: {
        '200': { description: 'For ever the same' },
        '404': failure('Another version of the page is here by now'),
      },
    },
  },
}
