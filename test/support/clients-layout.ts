import { createHash, type Hash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip, gzipSync, zstdCompressSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { z } from 'zod'

/** A part of an image, as manifests name it. */
export type Descriptor = {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

export const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
} as const

export const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: z.string(),
  size: z.int(),
})
export const manifestSchema = z.object({
  mediaType: z.string(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
})
export const indexSchema = z.object({
  mediaType: z.string(),
  manifests: z.array(descriptorSchema),
})

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** The same bytes for the same files. */
export async function tarball(files: {
  readonly [name: string]: Buffer | string
}): Promise<Buffer> {
  const archive = pack()
  const mtime = new Date(0)
  for (const [name, bytes] of Object.entries(files)) archive.entry({ name, mtime }, bytes)
  archive.finalize()
  return await buffer(archive)
}

const packers = {
  plain: (tar: Buffer) => tar,
  gzip: (tar: Buffer) => gzipSync(tar, { level: 1 }),
  zstd: (tar: Buffer) => zstdCompressSync(tar),
} as const
export type Compression = keyof typeof packers

export type LayeredOptions = {
  readonly architecture?: string
  readonly compression?: Compression
  /** What the layers' types say of their compression, which need not be so. */
  readonly label?: Compression
}

function heardBy(hash: Hash) {
  return async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
  }
}

/** An OCI image layout, made by hand (image-spec, "Image Layout"). */
export class Layout {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async begin(path: string): Promise<Layout> {
    await mkdir(join(path, 'blobs', 'sha256'), { recursive: true })
    await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
    return new Layout(path)
  }

  async bytes(digest: string): Promise<Buffer> {
    return await readFile(this.file(digest))
  }

  file(digest: string): string {
    return join(this.path, 'blobs', ...digest.split(':'))
  }

  /** An image of one layer that holds these files, gzipped unless `plain`. */
  async image(
    files: { readonly [name: string]: Buffer | string },
    { architecture = 'amd64', plain = false } = {},
  ): Promise<Descriptor> {
    return await this.layered([await tarball(files)], {
      architecture,
      compression: plain ? 'plain' : 'gzip',
    })
  }

  /** An image of these tars, the lowest first; their types say `label`. */
  async layered(
    tars: readonly Buffer[],
    { architecture = 'amd64', compression = 'gzip', label = compression }: LayeredOptions = {},
  ): Promise<Descriptor> {
    const mediaType = label === 'plain' ? types.layer : `${types.layer}+${label}`
    const layers: Descriptor[] = []
    for (const tar of tars) layers.push(await this.#add(mediaType, packers[compression](tar)))
    return await this.#image(layers, tars.map(digestOf), architecture)
  }

  /** An image of one gzipped layer, whose tar is never whole in memory. */
  async piped(tar: Readable): Promise<Descriptor> {
    const [plain, packed] = [createHash('sha256'), createHash('sha256')]
    const file = join(this.path, 'coming')
    // Runs alone: gzip's search for more would take minutes.
    const gzip = createGzip({ level: 1, strategy: constants.Z_RLE, chunkSize: 1024 * 1024 })
    await pipeline(tar, heardBy(plain), gzip, heardBy(packed), createWriteStream(file))
    const digest = `sha256:${packed.digest('hex')}`
    const { size } = await stat(file)
    await rename(file, this.file(digest))
    const layer = { mediaType: `${types.layer}+gzip`, digest, size }
    return await this.#image([layer], [`sha256:${plain.digest('hex')}`], 'amd64')
  }

  /** An index of one image for each architecture. */
  async index(images: { readonly [architecture: string]: Descriptor }): Promise<Descriptor> {
    const listed = ([architecture, image]: readonly [string, Descriptor]) => ({
      ...image,
      platform: { architecture, os: 'linux' },
    })
    const manifests = Object.entries(images).map(listed)
    return await this.#json(types.index, { manifests })
  }

  /** Names what the layout is of. */
  async finish(tags: { readonly [tag: string]: Descriptor }): Promise<void> {
    const tagged = ([tag, descriptor]: readonly [string, Descriptor]) => ({
      ...descriptor,
      annotations: { 'org.opencontainers.image.ref.name': tag },
    })
    const manifests = Object.entries(tags).map(tagged)
    await writeFile(join(this.path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
  }

  async #image(
    layers: readonly Descriptor[],
    diffIds: readonly string[],
    architecture: string,
  ): Promise<Descriptor> {
    const rootfs = { type: 'layers', diff_ids: diffIds }
    const config = await this.#json(types.config, { architecture, os: 'linux', rootfs })
    return await this.#json(types.manifest, { config, layers })
  }

  async #json(mediaType: string, document: object): Promise<Descriptor> {
    const head = mediaType === types.config ? {} : { schemaVersion: 2, mediaType }
    return await this.#add(mediaType, Buffer.from(JSON.stringify({ ...head, ...document })))
  }

  async #add(mediaType: string, bytes: Buffer): Promise<Descriptor> {
    const digest = digestOf(bytes)
    await writeFile(this.file(digest), bytes)
    return { mediaType, digest, size: bytes.length }
  }
}
