import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { z } from 'zod'
import { disk } from './disks.ts'
import type { Neighbour, Script } from './http-neighbour.ts'
import { same } from './model-own.ts'
import { blobOf, type Blob } from './model-pool.ts'
import { createImage, steadyImage } from './model-watch.ts'
import { bytesOf, expectStatus, type RegistryClient } from './registry-client.ts'

/** A disk that clients import and upload again and again, and where it can be fetched. */
export type Disk = {
  readonly bytes: Buffer<ArrayBuffer>
  readonly sha256: string
  /** Paths of the same disk, each in another way: with ranges, compressed, of a length that nobody tells. */
  readonly paths: readonly [string, string, string]
  /** Of what each path gives, in their order. */
  readonly sources: readonly { readonly sha256: string; readonly bytes: number }[]
  /** What the service makes of it, for clients that push the same bytes. */
  readonly layer: Blob
}

/** Of a disk, in bytes, and how many of them in a second it is sent with; as fast as it can be unless said otherwise. */
export type Size = { readonly size: number; readonly rate?: number }

const usual: readonly Size[] = [1024, 4096, 20_480, 102_400, 307_200, 614_400].map((size) => ({
  size,
}))

/** The disks, whose layers are had from the service, which has none of them afterwards. */
export async function makeDisks(
  client: RegistryClient,
  neighbour: Neighbour,
  bigger: readonly Size[] = [],
): Promise<readonly [Disk, ...Disk[]]> {
  const made: Disk[] = []
  for (const [seed, size] of [...usual, ...bigger].entries())
    made.push(await makeDisk(client, neighbour, size, seed))
  const [first, ...others] = made
  if (!first) throw new Error('there are no disks')
  return [first, ...others]
}

async function makeDisk(
  client: RegistryClient,
  neighbour: Neighbour,
  { size, rate = Infinity }: Size,
  seed: number,
) {
  const bytes = disk(size, seed)
  const packed = gzipSync(bytes)
  const serve = (path: string, script: Script & { readonly bytes: Buffer }) => {
    neighbour.serve(path, { rate, ...script })
    return path
  }
  const paths = [
    serve(`/${seed}.img`, { bytes, ranges: 'honest', etag: `"${seed}"` }),
    serve(`/${seed}.img.gz`, { bytes: packed }),
    serve(`/${seed}-chunked.img`, { bytes, framing: 'chunked' }),
  ] as const
  const [whole, small] = [
    { sha256: sha256Of(bytes), bytes: size },
    { sha256: sha256Of(packed), bytes: packed.length },
  ]
  const layer = await layerOf(client, `model-first-${seed}`, neighbour.url(paths[0]))
  return { bytes, sha256: whole.sha256, paths, sources: [whole, small, whole], layer }
}

const manifestSchema = z.object({
  config: z.object({ digest: z.string() }),
  layers: z.tuple([z.object({ digest: z.string() })]),
})

/** What the manifest of an image names. */
export function namedBy(manifest: Buffer): { readonly config: string; readonly layer: string } {
  const { config, layers } = manifestSchema.parse(JSON.parse(manifest.toString()))
  return { config: config.digest, layer: layers[0].digest }
}

async function layerOf(client: RegistryClient, name: string, url: string): Promise<Blob> {
  const source = { type: 'HTTP', http: { url } }
  await expectStatus(await createImage(client, name, source), 201)
  same(`the import of ${url}`, (await steadyImage(client, name))?.status.phase, 'Ready')
  const manifest = await bytesOf(await client.manifest('GET', `cvi/${name}`, 'latest'))
  const layer = await client.blob('GET', `cvi/${name}`, namedBy(manifest).layer)
  same(`the layer of ${name}`, layer.status, 200)
  const blob = blobOf(Buffer.from(await layer.arrayBuffer()))
  await expectStatus(await client.ask('DELETE', `/api/v1/images/${name}`), 202)
  return blob
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
