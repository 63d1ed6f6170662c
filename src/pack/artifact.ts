import type { Digest } from '../image/digest.ts'
import type { Facts } from '../image/format.ts'

/** A stored blob. `size` is bytes. */
export type BlobRef = { readonly digest: Digest; readonly size: number }

/** A layer and what it holds. The layer's size follows from the disk's (`layerSize`). */
export type Packed = {
  /** Also its diff id, for the layer is not compressed. */
  readonly layer: Digest
  /** The disk's own bytes, without the tar around them. */
  readonly disk: BlobRef
  readonly facts: Facts
}

/** What was fetched or received, before it was unwrapped: the status field `source`. */
export type Origin = {
  readonly bytes: number
  readonly sha256: Digest
  /** Final URL or image reference, free of credentials; null for an upload. Whoever may pull reads it. */
  readonly location: string | null
  /** As the source sent it. */
  readonly etag: string | null
  /** As the source sent it. */
  readonly lastModified: string | null
  /** Of the manifest that a container image's reference resolved to. */
  readonly resolved: Digest | null
}

/** Everything that one image's manifest says: what is needed to make its row in the catalog again. */
export type Artifact = Packed & {
  readonly config: BlobRef
  readonly source: Origin
  /** The source's Last-Modified, else the time of import; of a year from 0 to 9999. */
  readonly created: Date
}
