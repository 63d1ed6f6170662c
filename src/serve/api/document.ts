import { createDocument } from 'zod-openapi'
import { callerPaths } from './caller-schema.ts'
import { grouped, type Group } from './document-groups.ts'
import { eventPaths, imagePaths, probePaths } from './image-paths.ts'
import { machineClassPaths } from './machine-class-paths.ts'
import { registryPaths } from './registry-paths.ts'
import { servicePaths } from './service-paths.ts'
import { storagePaths } from './storage-paths.ts'
import { subscriberPaths } from './subscriber-paths.ts'
import { tokenPaths } from './token-paths.ts'
import { uploadPaths } from './upload-paths.ts'

const groups: readonly Group[] = [
  {
    name: 'Images',
    description:
      'Virtual machine images by name: where they come from, what they are, their bytes.',
    paths: { ...imagePaths, ...probePaths },
  },
  {
    name: 'Live progress',
    description: 'What happens, told as it happens.',
    paths: eventPaths,
  },
  {
    name: 'Uploads',
    description:
      'The bytes of an image whose data source is Upload. The token in the URL is the credential.',
    paths: uploadPaths,
  },
  {
    name: 'Storage',
    description: 'What takes how much room, the collection and the scrub.',
    paths: storagePaths,
  },
  {
    name: 'Subscribers',
    description: 'Who is told of events by webhooks, and what could not be delivered.',
    paths: subscriberPaths,
  },
  {
    name: 'Machine classes',
    description: 'Whether a virtual machine fits its class.',
    paths: machineClassPaths,
  },
  {
    name: 'Callers',
    description: 'Who asks, and tokens for registry clients.',
    paths: { ...callerPaths, ...tokenPaths },
  },
  {
    name: 'Registry',
    description: 'The OCI distribution-spec 1.1. Errors come in its envelope.',
    paths: registryPaths,
  },
  {
    name: 'Service',
    description: 'Health, metrics, and pages for people.',
    paths: servicePaths,
  },
]

/** OpenAPI 3.1, from the schemas that validate the requests. */
export function openApiDocument(version: string) {
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Slipway',
      version,
      description: 'Takes virtual machine images in and hands them out as OCI images.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        password: { type: 'http', scheme: 'basic' },
      },
    },
    // Without credentials configured, none are asked for.
    security: [{ token: [] }, { password: [] }, {}],
    tags: groups.map(({ name, description }) => ({ name, description })),
    paths: Object.assign({}, ...groups.map(grouped)),
  })
}
