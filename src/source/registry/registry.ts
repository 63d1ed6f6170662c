import type { Readable } from 'node:stream'
import type { Digest } from '../../image/digest.ts'
import type { Patience } from './patience.ts'

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
   * @param options for what comes over a network; a registry that is no other program's reads everything itself
   * @throws Refusal SOURCE_REFUSED, SOURCE_FORBIDDEN; Flaw INVALID_OCI (another length); Outage SOURCE_UNAVAILABLE
   */
  blob(
    blob: BlobPart,
    offset: number,
    signal: AbortSignal,
    options?: BlobOptions,
  ): Promise<Readable>
}

export type BlobOptions = {
  /** Is given in its place and not fetched. */
  readonly held?: Held | null
  readonly patience?: Patience
}

/** The bytes from `offset` on, `length` or fewer. */
export type ReadHeld = (offset: number, length: number, signal: AbortSignal) => Promise<Buffer>

/** A part of a blob that is here, from an earlier opening. Nothing says that it is still sound. */
export type Held = {
  /** Its first byte in the blob, and the one behind its last. */
  readonly start: number
  readonly end: number
  /** `offset` is in the part; at least one byte comes of what lies within it. */
  readonly read: ReadHeld
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
