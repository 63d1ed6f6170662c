import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { z } from 'zod'
import { failure, json, refused } from './document-answers.ts'
import {
  pingSchema,
  redeliveredSchema,
  redeliverRequest,
  subscribersSchema,
  undeliveredQuery,
  undeliveredSchema,
} from './subscriber-schema.ts'

const path = z.object({ name: z.string().meta({ description: "the subscriber's name" }) })
const unknown = failure('There is no such subscriber')

export const subscriberPaths: ZodOpenApiPathsObject = {
  '/api/v1/subscribers': {
    get: {
      operationId: 'listSubscribers',
      summary: 'Who is told of events, and how that goes',
      'x-needs': 'admin',
      responses: { ...refused, '200': json(subscribersSchema, 'All of them') },
    },
  },
  '/api/v1/subscribers/{name}/undelivered': {
    get: {
      operationId: 'listUndeliveredEvents',
      summary: 'What could not be delivered and is not tried any more',
      'x-needs': 'admin',
      requestParams: { path, query: undeliveredQuery },
      responses: {
        ...refused,
        '200': json(undeliveredSchema, 'One page'),
        '404': unknown,
        '422': failure('A parameter is wrong'),
      },
    },
  },
  '/api/v1/subscribers/{name}/redeliver': {
    post: {
      operationId: 'redeliverEvents',
      summary: 'Try at once what was given up and what waits for its next try',
      'x-needs': 'admin',
      requestParams: { path },
      requestBody: {
        required: false,
        content: { 'application/json': { schema: redeliverRequest, example: {} } },
      },
      responses: {
        ...refused,
        '202': json(redeliveredSchema, 'They are on their way'),
        '400': failure('The body is no JSON'),
        '404': failure('There is no such subscriber, or no such event for it'),
        '415': failure('The body is not said to be JSON'),
        '422': failure('A field is wrong; `errors` names it'),
      },
    },
  },
  '/api/v1/subscribers/{name}/ping': {
    post: {
      operationId: 'pingSubscriber',
      summary: 'Send a test event, and say what has become of it',
      'x-needs': 'admin',
      requestParams: { path },
      responses: { ...refused, '200': json(pingSchema, 'Whether it arrived'), '404': unknown },
    },
  },
}
