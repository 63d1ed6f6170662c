import { z } from 'zod'
import { dataSourceSchema } from './data-source.ts'
import { formats } from './format.ts'
import { phases } from './phase.ts'

/**
 * What is said of an image (image-lifecycle, "What the service answers"). One schema makes the answers of REST, their OpenAPI
 * document and the status of the custom resource.
 */

export const bytesSchema = z.string().meta({ description: 'bytes, decimal' })

export const conditionSchema = z.object({
  type: z.enum(['DatasourceReady', 'Ready']),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string().meta({ description: 'What is the matter, and what to do' }),
  lastTransitionTime: z.string(),
  observedGeneration: z.int().meta({ description: 'Which generation of the spec this is about' }),
})

export const sourceFacts = {
  url: z.string().optional().meta({ description: 'After redirects' }),
  etag: z.string().optional(),
  lastModified: z.string().optional(),
  image: z.string().optional().meta({ description: 'The container image, in full' }),
  digest: z.string().optional().meta({ description: 'What the image reference resolved to' }),
  platform: z.string().optional().meta({ description: 'What the container image is for' }),
}

export const statusSchema = z
  .object({
    phase: z.enum(phases),
    progress: z.string().optional().meta({
      description: '100% only once Ready; left out where the length is not known',
      example: '42.5%',
    }),
    receivedBytes: bytesSchema.optional(),
    downloadSpeed: z
      .object({
        avg: z.string(),
        avgBytes: bytesSchema,
        current: z.string(),
        currentBytes: bytesSchema,
      })
      .optional(),
    remaining: z.string().optional().meta({
      description: 'What the rest takes at the current speed, where that is known',
      example: '1m20s',
    }),
    remainingSeconds: z.int().optional(),
    format: z.enum(formats).optional(),
    cdrom: z.boolean().optional().meta({ description: 'Whether the format is iso' }),
    bootable: z.string().optional().meta({ description: 'yes, no or unknown' }),
    architecture: z
      .string()
      .optional()
      .meta({ description: "The guest's, where the disk tells it" }),
    size: z
      .object({
        stored: z.string(),
        storedBytes: bytesSchema,
        unpacked: z.string(),
        unpackedBytes: bytesSchema,
      })
      .optional()
      .meta({ description: 'What it takes in the storage, and what the guest sees' }),
    allocatedBytes: bytesSchema.optional(),
    target: z
      .object({ registryURL: z.string(), digest: z.string().optional() })
      .meta({ description: 'Where it is pulled from, by the tag latest' }),
    uploadCommand: z.string().optional().meta({ description: 'Sends the file that is waited for' }),
    imageUploadURLs: z.object({ external: z.string(), inCluster: z.string() }).optional(),
    upload: z
      .object({
        offset: bytesSchema,
        length: bytesSchema.optional(),
        expiresAt: z.string().optional(),
        resumeCommand: z.string(),
      })
      .optional()
      .meta({ description: 'An upload that broke off' }),
    source: z
      .object({
        ...sourceFacts,
        bytes: bytesSchema,
        sha256: z.string(),
      })
      .optional()
      .meta({ description: 'What was fetched' }),
    details: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: 'What else is told of this format' }),
    retries: z.int().optional(),
    nextRetryAt: z.string().optional(),
    conditions: z.array(conditionSchema),
  })
  .meta({ id: 'ImageStatus' })

export const imageSchema = z
  .object({
    name: z.string(),
    uid: z.string(),
    generation: z.int(),
    createdAt: z.string(),
    owner: z.object({ uid: z.string() }).optional(),
    dataSource: dataSourceSchema,
    status: statusSchema,
  })
  .meta({ id: 'Image' })
export type ImageBody = z.input<typeof imageSchema>
