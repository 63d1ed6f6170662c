import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { failure, json } from './document-answers.ts'
import { told } from './registry-answers.ts'

const issued = z
  .object({
    token: z.string(),
    access_token: z.string().meta({ description: 'The same' }),
    expires_in: z.int().meta({ description: 'Seconds' }),
    issued_at: z.string(),
  })
  .meta({ id: 'IssuedToken' })

const form = z
  .object({
    grant_type: z.literal('password'),
    username: z.string(),
    password: z.string(),
    scope: z.string().optional(),
  })
  .meta({ id: 'TokenForm' })

const answers = {
  '200': json(issued, 'A token of five minutes'),
  '401': told('Credentials are missing or wrong'),
  '404': failure('No credentials are configured, so there are no tokens'),
  '429': told('Too many failed attempts; Retry-After tells when to come again'),
}

/** `/token` in the OpenAPI document. */
export const tokenPaths: ZodOpenApiPathsObject = {
  '/token': {
    get: {
      operationId: 'issueToken',
      summary:
        'Change credentials for a token of five minutes, as registry clients do by themselves',
      'x-needs': 'a password or a token',
      requestParams: {
        query: z.object({
          service: z.string().optional(),
          scope: z.string().optional().meta({
            description: 'What it is for; may be repeated',
            example: 'repository:cvi/ubuntu-img:pull',
          }),
        }),
      },
      responses: answers,
    },
    post: {
      operationId: 'exchangeToken',
      summary: 'The same with a form (OAuth 2)',
      'x-needs': 'a password or a token',
      security: [],
      requestBody: {
        required: true,
        content: {
          'application/x-www-form-urlencoded': {
            schema: form,
            example: 'grant_type=password&username=some-node&password=its-password',
          },
        },
      },
      responses: {
        ...answers,
        '400': { description: 'Not the grant type "password", or a field is missing' },
      },
    },
  },
}
