import { Flaw } from '../../errors.ts'
import { mediaTypes } from '../../image/media-type.ts'
import type { ImageDocument } from './documents.ts'
import { listed } from './listed.ts'
import type { Part } from './registry.ts'

/** Where the disk of an image is. `title` is the file's name, as whoever pushed it said. */
export type DiskArtifact =
  /** In the filesystem that the layers make. */
  | { readonly kind: 'layers' }
  /** It is this part. */
  | { readonly kind: 'blob'; readonly part: Part; readonly title: string | null }
  /** It is this part, which calls itself a tar though it need not be one: then the disk is in the tar. */
  | { readonly kind: 'by bytes'; readonly part: Part; readonly title: string | null }

/**
 * Tells container images from disks that were pushed as they are.
 * @throws Flaw INVALID_OCI
 */
export function diskArtifact(image: ImageDocument): DiskArtifact {
  const { config, layers } = image
  if (layers.length > 0 && layers.every(isTar)) {
    if (isImageConfig(config) || !layers.some(isFile)) return { kind: 'layers' }
  }
  const part = onlyDisk(layers)
  if (part === null) throw noDisk(image)
  return { kind: anyTar.test(part.mediaType) ? 'by bytes' : 'blob', part, title: titleOf(part) }
}

const configs = [mediaTypes.config, 'application/vnd.docker.container.image.v1+json']
const tar =
  /^application\/vnd\.(?:oci\.image\.layer\.v1|docker\.image\.rootfs\.diff)\.tar(?:[+.](?:gzip|zstd))?$/
const anyTar = /[+.]tar(?:[+.]|$)/

function isImageConfig({ mediaType }: Part): boolean {
  return configs.some((known) => known === mediaType)
}

function isTar({ mediaType }: Part): boolean {
  return tar.test(mediaType)
}

/** What oras pushes is a file under its name, or a directory that it packed and says to unpack. */
function isFile({ annotations }: Part): boolean {
  return titleOf({ annotations }) !== null && annotations[unpack] !== 'true'
}

const unpack = 'io.deis.oras.content.unpack'

function titleOf({ annotations }: Pick<Part, 'annotations'>): string | null {
  return annotations['org.opencontainers.image.title'] || null
}

const diskType = /^application\/(?:vnd\.[^+]*disk[^+]*|x-qemu-disk)(?:\+(?:gzip|zstd))?$/
/** Types that say nothing: the file may be a disk, too. */
const anyType = /^application\/octet-stream(?:\+(?:gzip|zstd))?$/
const diskName = /\.(?:qcow2|img|raw|iso|vmdk|vdi|vhdx?)(?:\.(?:gz|xz|zst|bz2))?$/i

/** The surest signs first: what is beside a disk is small print. */
function onlyDisk(layers: readonly Part[]): Part | null {
  const files = layers.filter((layer) => !isTar(layer) || isFile(layer))
  const disk =
    only(files.filter(isNamedDisk)) ??
    only(files.filter(({ mediaType }) => anyType.test(mediaType)))
  return disk ?? onlyTar(layers)
}

/** Oras calls a file a tar when it is told nothing else. */
function onlyTar([first, ...more]: readonly Part[]): Part | null {
  return first && more.length === 0 && isTar(first) ? first : null
}

function isNamedDisk(part: Part): boolean {
  return diskType.test(part.mediaType) || diskName.test(titleOf(part) ?? '')
}

function only(disks: readonly Part[]): Part | null {
  const [first = null] = disks
  if (disks.length < 2) return first
  throw new Flaw(
    'INVALID_OCI',
    `the artifact has ${disks.length} disks, ${listed(disks.map(shown))}, and one is needed; push it alone`,
  )
}

/** A name that others gave, so short that a message can hold ten. */
function shown(part: Part): string {
  return quoted(titleOf(part) ?? part.digest)
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}

function noDisk({ artifactType, config, layers }: ImageDocument): Flaw {
  const parts = layers.map((part) => `${shown(part)} of type ${bare(part.mediaType)}`)
  const instead = parts.length > 0 ? `only ${listed(parts)}` : 'and no layers'
  return new Flaw(
    'INVALID_OCI',
    `the image is of type ${bare(artifactType ?? config.mediaType)} and has no disk, ${instead}; taken are container images with the disk under /disk/, and artifacts with one disk whose title is like disk.qcow2 or whose type is application/vnd.*disk*, application/x-qemu-disk or application/octet-stream`,
  )
}

/** Without its parameters, which may be any text. */
function bare(mediaType: string): string {
  return mediaType.replace(/;.*/s, '')
}
