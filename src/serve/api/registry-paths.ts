import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import { json } from './document-answers.ts'
import { told, unwelcome } from './registry-answers.ts'
import { sessionPaths } from './push-paths.ts'

const repository = z.string().meta({
  description: 'Its name, which may hold slashes; images are `cvi/<name>`',
  example: 'cvi/ubuntu-img',
})
const reference = z.string().meta({ description: 'A tag or a digest', example: 'latest' })
const digest = z.string().meta({
  description: 'sha256 or sha512',
  example: `sha256:${'0'.repeat(64)}`,
})

const paging = {
  n: z.string().optional().meta({ description: 'At most so many' }),
  last: z.string().optional().meta({ description: 'Those that come after this one' }),
}
const listed = { ...unwelcome, '400': told('A parameter is wrong') }
const nowhere = { '400': told('The name or the digest is wrong'), '404': told('It is not here') }

const manifestOf = { path: z.object({ repository, reference }) }
const blobOf = { path: z.object({ repository, digest }) }
const manifest = { 'application/vnd.oci.image.manifest.v1+json': {} }

const reading: ZodOpenApiPathsObject = {
  '/v2/': {
    get: {
      operationId: 'pingRegistry',
      summary: 'Whether this is a registry, and whether the caller is known',
      'x-needs': 'puller',
      responses: { ...unwelcome, '200': { description: 'It is' } },
    },
  },
  '/v2/_catalog': {
    get: {
      operationId: 'listRepositories',
      summary: 'The repositories that the caller may pull from, in pages',
      'x-needs': 'viewer',
      requestParams: { query: z.object(paging) },
      responses: {
        ...listed,
        '200': json(z.object({ repositories: z.array(z.string()) }), 'Link leads to the next page'),
      },
    },
  },
  '/v2/{repository}/tags/list': {
    get: {
      operationId: 'listTags',
      summary: 'The tags of a repository, in pages',
      'x-needs': 'puller',
      requestParams: { path: z.object({ repository }), query: z.object(paging) },
      responses: {
        ...listed,
        '200': json(
          z.object({ name: z.string(), tags: z.array(z.string()) }),
          'Link leads to the next page',
        ),
        '404': told('There is no such repository'),
      },
    },
  },
  '/v2/{repository}/referrers/{digest}': {
    get: {
      operationId: 'listReferrers',
      summary: 'What refers to a manifest: signatures, attestations',
      'x-needs': 'puller',
      requestParams: { ...blobOf, query: z.object({ artifactType: z.string().optional() }) },
      responses: {
        ...listed,
        '200': {
          description: 'An index',
          content: { 'application/vnd.oci.image.index.v1+json': {} },
        },
        '404': told('There is no such repository'),
      },
    },
  },
}

const manifests: ZodOpenApiPathsObject = {
  '/v2/{repository}/manifests/{reference}': {
    get: {
      operationId: 'pullManifest',
      summary: 'A manifest, byte for byte',
      'x-needs': 'puller',
      requestParams: manifestOf,
      responses: {
        ...unwelcome,
        ...nowhere,
        '200': { description: 'The manifest', content: manifest },
        '304': { description: 'If-None-Match names it' },
      },
    },
    put: {
      operationId: 'pushManifest',
      summary:
        'Put a manifest whose blobs are here; not below `cvi/`, which ingestion alone writes',
      requestParams: manifestOf,
      requestBody: { required: true, content: manifest },
      responses: {
        ...unwelcome,
        ...nowhere,
        '201': { description: 'It is here; Location leads to it' },
        '413': told('It is larger than 4 MiB'),
      },
    },
    delete: {
      operationId: 'deleteManifest',
      summary: 'Remove a tag, or a manifest with all its tags',
      requestParams: manifestOf,
      responses: { ...unwelcome, ...nowhere, '202': { description: 'It is gone' } },
    },
  },
}

const blobs: ZodOpenApiPathsObject = {
  '/v2/{repository}/blobs/{digest}': {
    get: {
      operationId: 'pullBlob',
      summary: 'A blob, in ranges if wanted',
      'x-needs': 'puller',
      requestParams: { ...blobOf, header: z.object({ Range: z.string().optional() }) },
      responses: {
        ...unwelcome,
        ...nowhere,
        '200': { description: 'All of it', content: { 'application/octet-stream': {} } },
        '206': { description: 'The ranges that were asked for' },
        '307': { description: 'It lies in the object store, where Location leads' },
        '416': told('No such range'),
      },
    },
    delete: {
      operationId: 'deleteBlob',
      summary: 'Remove a blob from a repository that no manifest there needs',
      requestParams: blobOf,
      responses: {
        ...unwelcome,
        ...nowhere,
        '202': { description: 'It is gone' },
        '405': told('A manifest needs it'),
      },
    },
  },
}

/** `/v2` in the OpenAPI document: what the specification says at length is said shortly. */
export const registryPaths: ZodOpenApiPathsObject = {
  ...reading,
  ...manifests,
  ...blobs,
  ...sessionPaths(repository),
}
