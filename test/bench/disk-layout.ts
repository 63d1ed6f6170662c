import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createHash, type Hash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { pack, type Pack } from 'tar-stream'
import { digestOf, types, type Descriptor } from '../support/clients-layout.ts'
import type { Program } from './programs.ts'

type Bytes = AsyncIterable<Buffer> | Iterable<Buffer>

export type Disk = {
  readonly bytes: Bytes
  readonly size: number
}

export type Compression = { readonly program: Program; readonly options: readonly string[] }

export type DiskLayout = {
  readonly layer: Descriptor
  /** Of the layer as it is stored. */
  readonly path: string
  /** Of the disk, hex. */
  readonly sha256: string
}

/**
 * An OCI image layout of one image with the tag 1, whose only layer holds the disk as `disk/disk.img`. The layer is never
 * held in memory, however large it is.
 * @param compression null for a layer that is not compressed
 */
export async function writeDiskLayout(
  folder: string,
  disk: Disk,
  compression: Compression | null,
  signal: AbortSignal,
): Promise<DiskLayout> {
  const blobs = join(folder, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })
  const { stored, unpacked, sha256 } = await writeLayer(
    join(folder, 'layer'),
    disk,
    compression,
    signal,
  )
  const path = join(blobs, stored)
  await rename(join(folder, 'layer'), path)
  const mediaType = compression ? `${types.layer}+${compression.program.name}` : types.layer
  const layer = { mediaType, digest: `sha256:${stored}`, size: (await stat(path)).size }
  const rootfs = { type: 'layers', diff_ids: [`sha256:${unpacked}`] }
  const config = await put(blobs, types.config, { architecture: 'amd64', os: 'linux', rootfs })
  const document = { schemaVersion: 2, mediaType: types.manifest, config, layers: [layer] }
  const manifest = await put(blobs, types.manifest, document)
  const annotations = { 'org.opencontainers.image.ref.name': '1' }
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] }
  await writeFile(join(folder, 'index.json'), JSON.stringify(index))
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  return { layer, path, sha256 }
}

/** @returns digests in hex: of what was written, of the tar in it, of the disk in that */
async function writeLayer(
  path: string,
  { bytes, size }: Disk,
  compression: Compression | null,
  signal: AbortSignal,
) {
  const [stored, unpacked, disk] = [hashing(), hashing(), hashing()]
  const archive = pack()
  const file = createWriteStream(path, { flags: 'wx' })
  const fill = async () => {
    const entry = archive.entry({ name: 'disk/disk.img', size })
    await pipeline(disk.pass(bytes), entry, { signal })
    archive.finalize()
  }
  const store = async () => {
    const tar = unpacked.pass(bytesOf(archive))
    const packed = compression ? compressed(tar, compression, signal) : tar
    await pipeline(stored.pass(packed), file, { signal })
  }
  await Promise.all([fill(), store()])
  return { stored: stored.hex(), unpacked: unpacked.hex(), sha256: disk.hex() }
}

async function* compressed(
  bytes: AsyncIterable<Buffer>,
  { program: { name }, options }: Compression,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const child = spawn(name, ['-c', ...options], { stdio: ['pipe', 'pipe', 'inherit'] })
  const written = pipeline(bytes, child.stdin, { signal })
  // It is awaited at the end, and may fail before.
  written.catch((error: Error) => child.stdout.destroy(error))
  const ended = once(child, 'close')
  yield* child.stdout
  await written
  const [code] = await ended
  if (code !== 0) throw new Error(`${name} ended with ${code}`)
}

/** tar-stream's types do not say what it gives. */
async function* bytesOf(archive: Pack): AsyncGenerator<Buffer> {
  for await (const chunk of archive) {
    if (!(chunk instanceof Buffer)) throw new TypeError('a tar gave something other than bytes')
    yield chunk
  }
}

/** Digests bytes that pass. */
function hashing() {
  const hash = createHash('sha256')
  return {
    pass: (bytes: Bytes) => hashed(bytes, hash),
    hex: () => hash.digest('hex'),
  }
}

async function* hashed(bytes: Bytes, hash: Hash) {
  for await (const chunk of bytes) {
    hash.update(chunk)
    yield chunk
  }
}

async function put(blobs: string, mediaType: string, document: object): Promise<Descriptor> {
  const bytes = Buffer.from(JSON.stringify(document))
  const digest = digestOf(bytes)
  await writeFile(join(blobs, digest.replace('sha256:', '')), bytes)
  return { mediaType, digest, size: bytes.length }
}
