import { isDigest, type Digest } from '../image/digest.ts'

/**
 * Where the bytes of a disk lie: in which image, in which of its blobs, and from which offset on. A later opening that
 * finds the same goes on in them.
 */
export type Whereabouts = {
  /** The manifest of the platform. */
  readonly manifest: Digest
  readonly blob: Digest
  /** Bytes; 0 of a disk that is in no tar. */
  readonly at: number
}

/** As a version of the bytes: `sha256:… sha256:… 1536`. */
export function versionAt({ manifest, blob, at }: Whereabouts): string {
  return `${manifest} ${blob} ${at}`
}

/** Null for a version of anything else. */
export function whereaboutsIn(version: string): Whereabouts | null {
  const [manifest = '', blob = '', at = ''] = version.split(' ')
  if (!isDigest(manifest) || !isDigest(blob) || !/^\d{1,15}$/.test(at)) return null
  return { manifest, blob, at: Number(at) }
}
