import type { Packed } from './artifact.ts'

/**
 * The OCI image configuration (image-spec, config.md). It holds no date and no source: the same disk gives the same bytes.
 * `architecture` is a GOARCH word of the data source; null when it names none.
 */
export function configBytes(packed: Packed, architecture: string | null): Buffer {
  const config = {
    architecture: architecture ?? 'amd64',
    os: 'linux',
    config: { Labels: labelsOf(packed) },
    rootfs: { type: 'layers', diff_ids: [packed.layer] },
  }
  return Buffer.from(JSON.stringify(config))
}

/** Labels that consumers of the reference registry read; values are strings there too. */
function labelsOf({ disk, facts }: Packed): { readonly [name: string]: string } {
  return {
    'source-image-size': String(disk.size),
    'source-image-virtual-size': String(facts.unpackedBytes),
    'source-image-format': facts.format,
    'erofs-compatible-layers': 'true',
  }
}
