import { z } from 'zod'
import { type Digest, isDigest } from '../image/digest.ts'
import { type Architecture, type Detail, formats } from '../image/format.ts'
import type { Artifact, BlobRef } from './artifact.ts'
import { diskName, headSize } from './tar-frame.ts'

/**
 * The facts of an image as annotations of its manifest. One schema of codecs writes them and reads them back, so that the
 * two cannot drift apart. Annotations of other tools are ignored.
 */

export const digestSchema = z.custom<Digest>(
  (value) => typeof value === 'string' && isDigest(value),
  'is no digest',
)

export const sizeSchema = z.int().nonnegative()

const bytes = z.codec(z.string().regex(/^(?:0|[1-9]\d*)$/, 'is no byte count'), sizeSchema, {
  decode: Number,
  encode: String,
})

/** RFC 3339, as the OCI image-spec asks for in annotations.md. */
const moment = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
})

const architectures = [
  'amd64',
  'arm64',
  'arm',
  '386',
  'riscv64',
  'loong64',
] as const satisfies readonly Architecture[]

const detail: z.ZodType<Detail, Detail> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.array(detail), z.record(z.string(), detail)]),
)

const details = z.codec(z.string(), z.record(z.string(), detail), {
  decode: (text, context) => {
    try {
      return JSON.parse(text)
    } catch {
      context.issues.push({ code: 'custom', input: text, message: 'is no JSON' })
      return z.NEVER
    }
  },
  encode: (value) => JSON.stringify(value),
})

export const annotationsSchema = z.object({
  'org.opencontainers.image.created': moment,
  'org.opencontainers.image.source': z.string().optional(),
  'org.opencontainers.image.title': z.string(),
  'dev.slipway.format': z.enum(formats),
  'dev.slipway.disk.offset': bytes.pipe(z.literal(headSize)),
  'dev.slipway.disk.size': bytes,
  'dev.slipway.disk.sha256': digestSchema,
  'dev.slipway.virtual-size': bytes,
  'dev.slipway.allocated-bytes': bytes.optional(),
  'dev.slipway.bootable': z.enum(['yes', 'no', 'unknown']),
  'dev.slipway.architecture': z.enum(architectures).optional(),
  'dev.slipway.details': details,
  'dev.slipway.source.bytes': bytes,
  'dev.slipway.source.sha256': digestSchema,
  'dev.slipway.source.etag': z.string().optional(),
  'dev.slipway.source.last-modified': z.string().optional(),
  'dev.slipway.source.digest': digestSchema.optional(),
})

type Annotations = z.output<typeof annotationsSchema>
type Annotated = Pick<Artifact, 'disk' | 'facts' | 'source' | 'created'>

export function annotate({ disk, facts, source, created }: Annotated): Annotations {
  return {
    'org.opencontainers.image.created': created,
    'org.opencontainers.image.source': source.location ?? undefined,
    'org.opencontainers.image.title': diskName(facts.format),
    'dev.slipway.format': facts.format,
    'dev.slipway.disk.offset': headSize,
    'dev.slipway.disk.size': disk.size,
    'dev.slipway.disk.sha256': disk.digest,
    'dev.slipway.virtual-size': facts.unpackedBytes,
    'dev.slipway.allocated-bytes': facts.allocatedBytes ?? undefined,
    'dev.slipway.bootable': facts.bootable,
    'dev.slipway.architecture': facts.architecture ?? undefined,
    'dev.slipway.details': { ...facts.details },
    'dev.slipway.source.bytes': source.bytes,
    'dev.slipway.source.sha256': source.sha256,
    'dev.slipway.source.etag': source.etag ?? undefined,
    'dev.slipway.source.last-modified': source.lastModified ?? undefined,
    'dev.slipway.source.digest': source.resolved ?? undefined,
  }
}

export function readAnnotations(said: Annotations): Annotated {
  return {
    disk: diskOf(said),
    facts: {
      format: said['dev.slipway.format'],
      unpackedBytes: said['dev.slipway.virtual-size'],
      allocatedBytes: said['dev.slipway.allocated-bytes'] ?? null,
      bootable: said['dev.slipway.bootable'],
      architecture: said['dev.slipway.architecture'] ?? null,
      details: said['dev.slipway.details'],
    },
    source: {
      location: said['org.opencontainers.image.source'] ?? null,
      bytes: said['dev.slipway.source.bytes'],
      sha256: said['dev.slipway.source.sha256'],
      etag: said['dev.slipway.source.etag'] ?? null,
      lastModified: said['dev.slipway.source.last-modified'] ?? null,
      resolved: said['dev.slipway.source.digest'] ?? null,
    },
    created: said['org.opencontainers.image.created'],
  }
}

function diskOf(said: Annotations): BlobRef {
  return { digest: said['dev.slipway.disk.sha256'], size: said['dev.slipway.disk.size'] }
}
