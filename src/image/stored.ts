import { z } from 'zod'
import { formats, type Detail } from './format.ts'
import { isDigest } from './digest.ts'

const digest = z.custom<string>((value) => typeof value === 'string').refine(isDigest)
const detail: z.ZodType<Detail> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.array(detail), z.record(z.string(), detail)]),
)

/** What became of an image's bytes, known once it is Ready. Sizes are bytes. */
export const storedSchema = z.object({
  format: z.enum(formats),
  /** The layer: the tar with the disk in it. */
  layer: z.object({ digest, size: z.number() }),
  /** The disk inside the layer. */
  disk: z.object({ digest, size: z.number() }),
  manifest: z.object({ digest, size: z.number(), mediaType: z.string() }),
  config: z.object({ digest, size: z.number() }),
  unpackedBytes: z.number(),
  allocatedBytes: z.number().nullable().default(null),
  bootable: z.enum(['yes', 'no', 'unknown']),
  architecture: z.enum(['amd64', 'arm64', 'arm', '386', 'riscv64', 'loong64']).nullable(),
  details: z.record(z.string(), detail),
  source: z.object({
    url: z.string().optional(),
    image: z.string().optional(),
    digest: digest.optional(),
    platform: z.string().optional(),
    etag: z.string().optional(),
    lastModified: z.string().optional(),
    bytes: z.number(),
    sha256: z.string(),
  }),
})

export type Stored = z.output<typeof storedSchema>
