import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
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
    const tar = await tarball(files)
    const layer = plain
      ? await this.#add(types.layer, tar)
      : await this.#add(`${types.layer}+gzip`, gzipSync(tar, { level: 1 }))
    const rootfs = { type: 'layers', diff_ids: [digestOf(tar)] }
    const config = await this.#json(types.config, { architecture, os: 'linux', rootfs })
    return await this.#json(types.manifest, { config, layers: [layer] })
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
