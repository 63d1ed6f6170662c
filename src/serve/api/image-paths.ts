import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { imageSchema } from '../../image/status.ts'
import { failure, json, refused } from './document-answers.ts'
import {
  createSchema,
  deleteQuery,
  eventsQuery,
  getQuery,
  listQuery,
  listSchema,
  probeRequest,
  probeSchema,
} from './schema.ts'

const ofImage = z.object({
  name: z.string().meta({ description: "The image's name", example: 'ubuntu-img' }),
})

const dataSource = {
  type: 'HTTP',
  http: { url: 'https://cloud.example.com/ubuntu-22.04-minimal-cloudimg-amd64.img' },
}
const newImage = { name: 'ubuntu-img', dataSource }

const listening = {
  query: eventsQuery,
  header: z.object({ 'Last-Event-ID': z.string().optional() }),
}

const told = {
  description:
    'For as long as the client stays: `image` with the whole image, after each change and at most every second for progress; `deleted` with name and uid; `reset`, before everything there is, where Last-Event-ID is missing or too old. `id` is the sequence',
  content: { 'text/event-stream': { schema: z.string() } },
}

/** `/api/v1/images` in the OpenAPI document. */
export const imagePaths: ZodOpenApiPathsObject = {
  '/api/v1/images': {
    post: {
      operationId: 'createImage',
      summary: 'Create an image; repeating the same request is safe',
      requestBody: {
        required: true,
        content: { 'application/json': { schema: createSchema, example: newImage } },
      },
      responses: {
        ...refused,
        '200': json(imageSchema, 'It exists with the same data source'),
        '201': json(imageSchema, 'Created; Location leads to it'),
        '400': failure('The body is no JSON'),
        '409': failure('It exists with another data source or owner'),
        '415': failure('The body is not said to be JSON'),
        '422': failure('A field is wrong; `errors` names it'),
      },
    },
    get: {
      operationId: 'listImages',
      summary: 'Images by name, in pages',
      requestParams: { query: listQuery },
      responses: {
        ...refused,
        '200': json(listSchema, 'One page'),
        '422': failure('A parameter is wrong'),
      },
    },
  },
  '/api/v1/images/{name}': {
    get: {
      operationId: 'getImage',
      summary: 'One image; with If-None-Match and `wait` it answers when something has changed',
      requestParams: {
        path: ofImage,
        query: getQuery,
        header: z.object({ 'If-None-Match': z.string().optional() }),
      },
      responses: {
        ...refused,
        '200': json(imageSchema, 'The image; ETag names this state of it'),
        '304': { description: 'Nothing has changed' },
        '404': failure('There is no such image'),
        '422': failure('A parameter is wrong'),
      },
    },
    delete: {
      operationId: 'deleteImage',
      summary: 'Delete an image and free what nothing else uses; a running import is stopped',
      requestParams: { path: ofImage, query: deleteQuery },
      responses: {
        ...refused,
        '202': { description: 'It is gone' },
        '404': failure('There is no such image'),
        '409': failure('An image of this name has another uid'),
        '422': failure('A parameter is wrong'),
      },
    },
  },
  '/api/v1/images/{name}/retry': {
    post: {
      operationId: 'retryImage',
      summary: 'Start a Failed or ImageLost image again, an upload with a fresh token',
      requestParams: { path: ofImage },
      responses: {
        ...refused,
        '202': json(imageSchema, 'It has begun'),
        '404': failure('There is no such image'),
        '409': failure('It is neither Failed nor ImageLost, or its credentials are gone'),
      },
    },
  },
  '/api/v1/images/{name}/disk': {
    get: {
      operationId: 'readDisk',
      'x-needs': 'puller',
      summary: 'The disk file itself, in ranges if wanted',
      requestParams: { path: ofImage, header: z.object({ Range: z.string().optional() }) },
      responses: {
        ...refused,
        '200': { description: 'The whole file', content: { 'application/octet-stream': {} } },
        '206': { description: 'The ranges that were asked for' },
        '404': failure('There is no such image'),
        '409': failure('The image is not Ready'),
        '416': failure('No such range'),
      },
    },
  },
}

export const eventPaths: ZodOpenApiPathsObject = {
  '/api/v1/events': {
    get: {
      operationId: 'listenToImages',
      summary: 'What happens to images, as Server-Sent Events',
      requestParams: listening,
      responses: { ...refused, '200': told, '422': failure('A parameter is wrong') },
    },
  },
  '/api/v1/images/{name}/events': {
    get: {
      operationId: 'listenToImage',
      summary: 'What happens to the image of that name, as Server-Sent Events',
      requestParams: { ...listening, path: ofImage },
      responses: {
        ...refused,
        '200': told,
        '404': failure('There is no such image, and no Last-Event-ID was given'),
        '422': failure('A parameter is wrong'),
      },
    },
  },
}

export const probePaths: ZodOpenApiPathsObject = {
  '/api/v1/probe': {
    post: {
      operationId: 'probe',
      summary: 'What would be imported, from its start and end, without importing it',
      requestBody: {
        required: true,
        content: { 'application/json': { schema: probeRequest, example: { dataSource } } },
      },
      responses: {
        ...refused,
        '200': json(probeSchema, 'What it is, or why it would be refused'),
        '400': failure('The body is no JSON'),
        '415': failure('The body is not said to be JSON'),
        '422': failure('A field is wrong, or the source refuses'),
        '502': failure('The source cannot be reached'),
      },
    },
  },
}
