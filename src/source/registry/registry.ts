import type { Readable } from 'node:stream'
import type { Digest } from '../../image/digest.ts'

/** One repository of a registry: over the network, or this service's own. */
export interface Registry {
  /**
   * A manifest by tag or digest, whole: at most `mostManifestBytes`. Its bytes have the digest that is told.
   * @throws Refusal SOURCE_REFUSED, SOURCE_FORBIDDEN; Flaw INVALID_OCI; Outage SOURCE_UNAVAILABLE
   */
  manifest(tagOrDigest: string, signal: AbortSignal): Promise<FetchedManifest>
  /**
   * A blob, from `offset` on. The stream goes on by itself where a connection breaks, ends only when `size` bytes were given
   * in all, and fails with an Outage when it cannot; what the bytes are is for the reader to verify.
   * @throws Refusal SOURCE_REFUSED, SOURCE_FORBIDDEN; Flaw INVALID_OCI (another length); Outage SOURCE_UNAVAILABLE
   */
  blob(blob: BlobPart, offset: number, signal: AbortSignal): Promise<Readable>
}

/** OCI distribution-spec, "Pushing Manifests": registries take this much at least, and clients no more. */
export const mostManifestBytes = 4 * 1024 * 1024

export type FetchedManifest = {
  readonly digest: Digest
  /** In lower case, without parameters. */
  readonly mediaType: string
  readonly bytes: Buffer
}

/** `size` is bytes. */
export type BlobPart = { readonly digest: Digest; readonly size: number }

/** OCI image-spec, descriptor.md: one part of an image, as its manifest names it. */
export type Part = BlobPart & {
  readonly mediaType: string
  readonly annotations: { readonly [name: string]: string }
}
