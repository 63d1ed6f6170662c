import { z } from 'zod'
import { dataSourceSchema } from '../../image/data-source.ts'
import { parseDuration } from '../../image/duration.ts'
import { formats } from '../../image/format.ts'
import { nameProblem } from '../../image/name.ts'
import { phases } from '../../image/phase.ts'
import { bytesSchema, imageSchema, sourceFacts } from '../../image/status.ts'

/** The shapes of REST: they validate requests and make the OpenAPI document (http-api, "REST"). */

export const nameSchema = z
  .string()
  .superRefine((name, context) => {
    const problem = nameProblem(name)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })
  .meta({ description: '1 to 200 of a-z, 0-9 and hyphens', example: 'ubuntu-img' })

export const createSchema = z
  .strictObject({
    name: nameSchema,
    dataSource: dataSourceSchema,
    owner: z
      .strictObject({ uid: z.string().min(1).max(200) })
      .optional()
      .meta({ description: 'Whose image it is; the same name with another owner is refused' }),
  })
  .meta({ id: 'NewImage' })

const flag = z.enum(['true', 'false']).transform((text) => text === 'true')

export const listQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,4}$/, 'must be a number from 1 to 1000')
    .transform(Number)
    .pipe(z.int().min(1).max(1000))
    .default(100)
    .meta({ description: '1 to 1000, 100 without it' }),
  continue: z.string().max(400).optional().meta({ description: '`continue` of the page before' }),
  phase: z.enum(phases).optional(),
  format: z.enum(formats).optional(),
  cdrom: flag.optional(),
})

/** A proxy between us and the client may cut what is silent for longer. */
const longestWait = 60_000

export const getQuery = z.strictObject({
  wait: z
    .string()
    .transform((text, context) => {
      const wait = parseDuration(text)
      if (wait !== null && wait <= longestWait) return wait
      context.addIssue({ code: 'custom', message: 'must be a duration up to 60s, such as 30s' })
      return z.NEVER
    })
    .optional()
    .meta({
      description:
        'Answer only when the image differs from If-None-Match, at most so long; where only its progress does, a second after the request began',
    }),
})

export const deleteQuery = z.strictObject({
  uid: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .meta({ description: 'Delete this image alone, not another one that has its name by now' }),
})

export const eventsQuery = z.strictObject({
  lastEventId: z.string().max(100).optional().meta({
    description: 'For clients that cannot send Last-Event-ID, which goes before it',
  }),
})

export const listSchema = z
  .object({ items: z.array(imageSchema), continue: z.string().optional() })
  .meta({ id: 'ImageList' })

export const probeRequest = z.strictObject({ dataSource: dataSourceSchema }).meta({ id: 'Probe' })

const part = z.object({
  mediaType: z.string(),
  digest: z.string(),
  size: z.string(),
  sizeBytes: bytesSchema,
})

export const probeSchema = z
  .object({
    accepted: z.boolean().meta({ description: 'Whether anything that was seen speaks against it' }),
    complete: z
      .boolean()
      .meta({ description: 'False when the end could not be seen, or it is wrapped' }),
    refusal: z.object({ code: z.string(), detail: z.string() }).optional(),
    format: z.enum(formats).optional(),
    cdrom: z.boolean().optional(),
    bootable: z.string().optional(),
    architecture: z.string().optional(),
    details: z.record(z.string(), z.unknown()).optional(),
    wrapping: z.array(z.string()).meta({ description: 'Compressions, the outermost first' }),
    size: z.object({
      source: z.string().optional(),
      sourceBytes: bytesSchema.optional(),
      unpacked: z.string().optional(),
      unpackedBytes: bytesSchema.optional(),
    }),
    ranges: z.boolean().optional().meta({ description: 'Whether the source gives parts of it' }),
    revalidation: z.enum(['etag', 'lastModified', 'digest', 'none']),
    source: z.object({
      ...sourceFacts,
    }),
    image: z
      .object({
        manifest: part,
        layers: z.array(part).meta({ description: 'The lowest first' }),
        file: z.string().optional().meta({ description: 'Where the disk is' }),
      })
      .optional()
      .meta({ description: 'What is in a container image' }),
  })
  .meta({ id: 'ProbeResult' })
export type ProbeBody = z.input<typeof probeSchema>

export const problemSchema = z
  .object({
    detail: z.string(),
    code: z.string(),
    status: z.int(),
    title: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' })
