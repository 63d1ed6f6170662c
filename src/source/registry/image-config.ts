import { z } from 'zod'
import { Flaw } from '../../errors.ts'
import { parseDigest, type Digest } from '../../image/digest.ts'
import { checkNames, digestSchema, jsonOf, mostParts, shaped } from '../../image/document-schema.ts'
import { platformFields, platformOf, type Platform } from './platform.ts'

/** What an image says of itself, as far as it matters here. */
export type ImageConfig = {
  readonly platform: Platform | null
  /** Of the layers as they are without compression, the lowest first; none where the configuration is no image's. */
  readonly diffIds: readonly Digest[]
}

/** OCI image-spec, config.md. What is written in Go says null for an empty list. */
const rootfs = z.looseObject({
  type: z.literal('layers', 'is not "layers"').optional(),
  diff_ids: z.array(digestSchema).max(mostParts, `has more than ${mostParts} layers`).nullish(),
})
const schema = platformFields.extend({ rootfs: rootfs.nullish() })

/**
 * Reads an image's configuration.
 * @throws Flaw INVALID_OCI
 */
export function readConfig(bytes: Uint8Array): ImageConfig {
  const document = jsonOf(bytes, invalid)
  checkNames(document, Object.keys(schema.shape), invalid)
  const config = shaped(schema, document, invalid)
  checkNames(config.rootfs, Object.keys(rootfs.shape), invalid)
  const diffIds = config.rootfs?.diff_ids ?? []
  return { platform: platformOf(config), diffIds: diffIds.map(parseDigest) }
}

function invalid(problem: string, cause?: unknown): Flaw {
  return new Flaw('INVALID_OCI', `the image's configuration is not valid: ${problem}`, { cause })
}
