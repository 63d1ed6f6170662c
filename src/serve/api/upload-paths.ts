import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { z } from 'zod'
import { failure, json } from './document-answers.ts'
import { imageSchema } from '../../image/status.ts'

const token = z.object({
  token: z
    .string()
    .regex(/^[A-Za-z0-9]{32}$/)
    .meta({ example: 'dSJSQW0fSOerjH5ziJo4PEWbnZ4q6ffc' }),
})
const state = z.object({
  phase: z.string(),
  offset: z.string(),
  length: z.string().optional(),
  expiresAt: z.string().optional(),
})

const known = {
  '404': failure('The token is not known'),
  '410': failure('The token was used, or its time is over'),
  '412': { description: 'Another version of tus than that which Tus-Version tells' },
}

const taken = {
  ...known,
  '400': failure('The checksum differs, or the connection broke; Upload-Offset tells what is here'),
  '409': failure('Not the next byte, or another file; Upload-Offset tells what is here'),
  '413': failure('Larger than what is allowed; refused before the bytes are sent'),
  '422': failure('The bytes are no image that is taken'),
  '423': failure('Another client is uploading this image'),
  '507': failure('The storage is too small'),
}

const body = { required: true, content: { 'application/octet-stream': {} } } as const
const digests = {
  'Repr-Digest': z.string().optional(),
  'Content-Digest': z.string().optional(),
}

/** `/upload/<token>` in the OpenAPI document. */
export const uploadPaths: ZodOpenApiPathsObject = {
  '/upload/{token}': {
    put: {
      operationId: 'upload',
      security: [],
      summary: 'The bytes of an image, or the rest of them; answers when the image is Ready',
      requestParams: {
        path: token,
        header: z.object({ 'Content-Range': z.string().optional(), ...digests }),
      },
      requestBody: body,
      responses: {
        ...taken,
        '201': json(imageSchema, 'Ready'),
        '202': json(state, 'Kept; more has to come'),
        '416': failure('The Content-Range does not fit the body'),
      },
    },
    post: {
      operationId: 'createTusUpload',
      security: [],
      summary:
        'With Tus-Resumable and Upload-Length: a file is about to come by PATCH. Else as PUT',
      requestParams: {
        path: token,
        header: z.object({
          'Tus-Resumable': z.string().optional().meta({ description: '1.0.0' }),
          'Upload-Length': z.string().optional(),
        }),
      },
      responses: { ...taken, '201': { description: 'Location is this URL, or the image' } },
    },
    patch: {
      operationId: 'continueUpload',
      security: [],
      summary: 'The next bytes, by tus 1.0 or by the draft on resumable uploads',
      requestParams: {
        path: token,
        header: z.object({
          'Upload-Offset': z.string().meta({ example: '0' }),
          'Upload-Complete': z.string().optional(),
          'Upload-Checksum': z.string().optional(),
          ...digests,
        }),
      },
      requestBody: {
        required: true,
        content: { 'application/offset+octet-stream': {}, 'application/partial-upload': {} },
      },
      responses: {
        ...taken,
        '201': json(imageSchema, 'Ready'),
        '204': { description: 'Kept; Upload-Offset tells how much is here' },
        '415': failure('Another media type'),
      },
    },
    delete: {
      operationId: 'cancelUpload',
      security: [],
      summary: 'Give the upload up; the image fails',
      requestParams: { path: token },
      responses: { ...known, '204': { description: 'It is gone' } },
    },
    head: {
      operationId: 'measureUpload',
      security: [],
      summary: 'How much of the file is here, in Upload-Offset',
      requestParams: { path: token },
      responses: { ...known, '200': { description: 'Upload-Offset, Upload-Length if known' } },
    },
    options: {
      operationId: 'offerUpload',
      security: [],
      summary: 'What is spoken here: versions and extensions of tus, limits of the draft',
      requestParams: { path: token },
      responses: { '204': { description: 'Tus-Version, Tus-Extension, Upload-Limit' } },
    },
    get: {
      operationId: 'getUpload',
      security: [],
      summary: 'How far an upload is',
      requestParams: { path: token },
      responses: {
        '200': json(state, 'Its state'),
        '404': known['404'],
        '412': known['412'],
      },
    },
  },
}
