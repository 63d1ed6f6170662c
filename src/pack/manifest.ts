import { z } from 'zod'
import { Flaw } from '../errors.ts'
import { mediaTypes } from '../image/media-type.ts'
import {
  annotate,
  annotationsSchema,
  digestSchema,
  readAnnotations,
  sizeSchema,
} from './annotations.ts'
import type { Artifact } from './artifact.ts'
import { layerSize } from './tar-frame.ts'

const descriptor = (mediaType: string) =>
  z.object({ mediaType: z.literal(mediaType), digest: digestSchema, size: sizeSchema })

/** OCI image-spec, manifest.md, narrowed to what ingestion writes. */
const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.literal(mediaTypes.manifest),
  config: descriptor(mediaTypes.config),
  layers: z.tuple([descriptor(mediaTypes.layer)]),
  annotations: annotationsSchema,
})

type Manifest = z.output<typeof manifestSchema>

/** The OCI image manifest: the same artifact gives the same bytes. */
export function manifestBytes(artifact: Artifact): Buffer {
  const manifest = z.encode(manifestSchema, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { ...artifact.config, mediaType: mediaTypes.config },
    layers: [
      {
        mediaType: mediaTypes.layer,
        digest: artifact.layer,
        size: layerSize(artifact.disk.size),
      },
    ],
    annotations: annotate(artifact),
  })
  return Buffer.from(JSON.stringify(manifest))
}

/**
 * What `manifestBytes` was told, from its bytes.
 *
 * @throws Flaw INVALID_OCI when ingestion did not write them
 */
export function readManifestFacts(bytes: Uint8Array): Artifact {
  const { config, layers, annotations } = parse(bytes)
  const [layer] = layers
  const said = readAnnotations(annotations)
  if (layer.size !== layerSize(said.disk.size)) {
    throw invalid(`its layer of ${layer.size} bytes cannot hold a disk of ${said.disk.size} bytes`)
  }
  return {
    config: { digest: config.digest, size: config.size },
    layer: layer.digest,
    ...said,
  }
}

function parse(bytes: Uint8Array): Manifest {
  const read = manifestSchema.safeParse(json(bytes))
  if (read.success) return read.data
  const [issue] = read.error.issues
  throw invalid(`${issue?.path.join(' ') ?? ''}: ${issue?.message ?? ''}`, read.error)
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch (cause) {
    throw invalid('it is no JSON', cause)
  }
}

function invalid(problem: string, cause?: unknown): Flaw {
  const message = `the manifest was not written by Slipway or is damaged: ${problem}; import the image again`
  return new Flaw('INVALID_OCI', message, { cause })
}
