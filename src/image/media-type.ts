/** Media types of the OCI image-spec (media-types.md) that the service writes or reads. */
export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const

/** What a repository takes as manifests: those of the OCI image-spec and Docker's, version 2 schema 2. */
export const manifestTypes = {
  image: [mediaTypes.manifest, 'application/vnd.docker.distribution.manifest.v2+json'],
  index: [mediaTypes.index, 'application/vnd.docker.distribution.manifest.list.v2+json'],
} as const

export function isImageType(mediaType: string): boolean {
  return manifestTypes.image.some((known) => known === mediaType)
}

export function isIndexType(mediaType: string): boolean {
  return manifestTypes.index.some((known) => known === mediaType)
}

/**
 * Layers that may be had from elsewhere only and are never pushed: deprecated by the image-spec (layer.md,
 * "Non-Distributable Layers"), and Docker's foreign layers.
 */
export function isNonDistributable(mediaType: string): boolean {
  return (
    mediaType.startsWith('application/vnd.oci.image.layer.nondistributable.') ||
    mediaType === 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
  )
}

/** OCI image-spec, descriptor.md. `size` is bytes. */
export type Descriptor = {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly annotations?: { readonly [name: string]: string }
}
