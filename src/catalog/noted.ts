import { z } from 'zod'
import { dataSourceSchema } from '../image/data-source.ts'
import { isDigest, type Digest } from '../image/digest.ts'
import { phases, type ReadyReason, type SourceReason } from '../image/phase.ts'
import { storedSchema } from '../image/stored.ts'
import type { Image } from './images.ts'
import { imageNotes, manifestNotes, type Note } from './notepad.ts'

const nothing = z.null()
const standing = <Reason>() =>
  z.object({
    reason: z.custom<Reason>((value) => typeof value === 'string'),
    message: z.string(),
    since: z.number(),
  })

const image: z.ZodType<Image> = z.object({
  uid: z.string(),
  name: z.string(),
  generation: z.number(),
  createdAt: z.number(),
  ownerUid: z.string().nullable(),
  dataSource: dataSourceSchema,
  secrets: nothing,
  sealedQuery: nothing,
  hadSecrets: z.boolean(),
  urlKey: nothing,
  attempt: z.number(),
  phase: z.enum(phases),
  ready: standing<ReadyReason>(),
  source: standing<SourceReason>(),
  retries: z.number(),
  nextRetryAt: z.number().nullable(),
  stored: storedSchema.nullable(),
})

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value))

const requester = z.object({
  id: z.string(),
  addr: z.string(),
  host: z.string(),
  method: z.string(),
  userAgent: z.string(),
  name: z.string(),
})

/** A note as the queue keeps it. */
export const noteText: z.ZodType<Note, string> = z
  .string()
  .transform((text, context): unknown => {
    try {
      return JSON.parse(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: `no JSON: ${String(error)}` })
      return z.NEVER
    }
  })
  .pipe(
    z.union([
      z.object({ type: z.enum(imageNotes), subject: z.string(), image }),
      z.object({
        type: z.enum(manifestNotes),
        subject: z.string(),
        digest: digest.nullable(),
        tag: z.string().nullable(),
        mediaType: z.string().nullable(),
        size: z.number().nullable(),
        by: requester.nullable(),
      }),
    ]),
  )
