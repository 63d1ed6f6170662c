import { z } from 'zod'
import { maintenanceKinds, maintenanceStates } from '../../catalog/schema.ts'
import { phases } from '../../image/phase.ts'
import { parseSize } from '../../image/size.ts'

const bytes = z.string().meta({ description: 'bytes, decimal' })

export const gcRequest = z
  .strictObject({
    dryRun: z
      .boolean()
      .optional()
      .meta({ description: 'Count what would be removed, remove nothing' }),
  })
  .meta({ id: 'NewCollection' })

/** With less, a disk takes weeks. */
const slowest = 1024

export const scrubRequest = z
  .strictObject({
    rate: z
      .string()
      .transform((text, context) => {
        const rate = parseSize(text)
        if (rate !== null && rate >= slowest) return rate
        const message = 'must be bytes a second, at least 1Ki, such as 64Mi'
        context.addIssue({ code: 'custom', message })
        return z.NEVER
      })
      .optional()
      .meta({ description: 'Bytes a second, such as 64Mi; without it, as fast as the storage' }),
  })
  .meta({ id: 'NewScrub' })

const fact = z.union([z.string(), z.number(), z.boolean(), z.null()])

export const runSchema = z
  .object({
    id: z.string(),
    kind: z.enum(maintenanceKinds),
    state: z.enum(maintenanceStates),
    options: z.record(z.string(), fact),
    progress: z
      .record(z.string(), fact)
      .meta({ description: 'Counters; those whose names end with bytes are decimal strings' }),
    message: z.string().meta({ description: 'Why it failed' }),
    startedAt: z.string(),
    finishedAt: z.string().optional(),
  })
  .meta({ id: 'StorageRun' })
export type RunBody = z.input<typeof runSchema>

export const runsSchema = z
  .object({ items: z.array(runSchema) })
  .meta({ id: 'StorageRunList', description: 'The newest first' })

export const storageSchema = z
  .object({
    bytes: z.object({
      blobs: bytes,
      logical: z.string().meta({
        description: 'bytes, decimal, as if every manifest had bytes of its own',
      }),
      staged: z.string().meta({ description: 'bytes, decimal, that are on their way in' }),
      free: bytes.optional().meta({ description: 'Missing where the storage does not tell' }),
      limit: bytes.optional().meta({ description: 'SLIPWAY_STORAGE_LIMIT' }),
    }),
    dedupRatio: z
      .number()
      .optional()
      .meta({ description: '`logical` for each byte of `blobs`', example: 1.5 }),
    counts: z.object({
      images: z.partialRecord(z.enum(phases), z.int()).meta({ description: 'By phase' }),
      blobs: z.int(),
      manifests: z.int(),
      tags: z.int(),
      repositories: z.int(),
      uploads: z.int().meta({ description: 'Images whose upload is waited for or under way' }),
      pushes: z.int(),
    }),
    gc: runSchema.optional().meta({ description: 'The last collection' }),
    scrub: runSchema.optional().meta({ description: 'The last scrub' }),
  })
  .meta({ id: 'Storage' })
export type StorageBody = z.input<typeof storageSchema>

export const sharesSchema = z
  .object({
    items: z.array(
      z.object({
        bytes,
        blobs: z.int(),
        repositories: z.array(z.string()).meta({
          description: 'Eight names at most, without those that the caller may not pull from',
        }),
        holders: z.int().meta({
          description:
            'How many repositories need these bytes; 0: a collection removes them once nobody is pushing them',
        }),
      }),
    ),
    others: z
      .object({ bytes, blobs: z.int() })
      .meta({ description: 'What is not among the items, in sum' }),
  })
  .meta({ id: 'StorageShares', description: 'The largest first, 500 at most' })
export type SharesBody = z.input<typeof sharesSchema>
