import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { Bench, Contender, Measurement } from '../bench.ts'
import { assertDigest } from '../client.ts'
import { writeDiskLayout, type Compression, type Disk, type DiskLayout } from '../disk-layout.ts'
import { mixed } from '../mixed.ts'
import { decompressing } from '../peers/decompress.ts'
import {
  dockerRegistry,
  startDockerRegistry,
  type DockerRegistry,
} from '../peers/docker-registry.ts'
import { copyAndHash } from '../peers/limit.ts'
import { copyingImage, pushImage } from '../peers/skopeo.ts'
import { startSlipway } from '../peers/slipway.ts'
import { gzip, openssl, skopeo, zstd } from '../programs.ts'
import { writtenBy } from '../usage.ts'

const mebibyte = 1024 * 1024

type Kind = {
  readonly name: string
  readonly content: string
  /** As builders compress layers; null for not at all. */
  readonly compression: Compression | null
}

const kinds: readonly Kind[] = [
  { name: 'container-plain', content: 'random data', compression: null },
  {
    name: 'container-gzip',
    content: 'mixed data in gzip',
    compression: { program: gzip, options: ['-6'] },
  },
  {
    name: 'container-zstd',
    content: 'mixed data in zstd',
    compression: { program: zstd, options: ['-3', '-T1'] },
  },
]

/**
 * A disk out of a registry, until it is durable. Slipway gives the disk itself, unpacked, verified by the digests of the
 * layer and of the tar in it, judged, and framed as a layer of its own; skopeo keeps the layer as it is.
 */
export const container: readonly Measurement[] = kinds.map(({ name, content, compression }) => ({
  name,
  group: 'container',
  title:
    `an image's layer with a disk (${content}) out of docker-registry, until it is durable; counted are the bytes of the disk. ` +
    'Slipway unpacks, verifies the diff id, judges and frames it, skopeo keeps the layer as it is',
  unit: 'bytes',
  needs: [skopeo, dockerRegistry, ...(compression ? [compression.program] : [])],
  targets: [],
  async open(bench, resources) {
    const image = await pushed(compression, bench, resources)
    return {
      bytes: bench.file.size,
      contenders: [
        await importing(image, bench, resources),
        copyingImage(image.reference, image.layer, bench),
        compression
          ? decompressing(compression.program, image.path, bench)
          : await bench.unlessMissing([openssl], async () => copyAndHash(bench)),
      ],
    }
  },
}))

type Image = DiskLayout & { readonly reference: string; readonly registry: DockerRegistry }

async function pushed(
  compression: Compression | null,
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<Image> {
  const { folder, signal, say } = bench
  const layout = join(folder, 'layout')
  const made = await writeDiskLayout(layout, disk(compression, bench), compression, signal)
  say(`the layer has ${(made.layer.size / mebibyte).toFixed(0)} MiB`)
  const registry = await startDockerRegistry(join(folder, 'registry'), bench, resources)
  const reference = `${new URL(registry.base).host}/bench/disk:1`
  await pushImage(`${layout}:1`, reference, bench)
  return { ...made, reference, registry }
}

/** Nothing makes random data smaller, so it would say nothing of unpacking. */
function disk(compression: Compression | null, { file: { path, size } }: Bench): Disk {
  const random = () => createReadStream(path, { highWaterMark: mebibyte })
  return { size, bytes: compression ? mixed(size) : random() }
}

async function importing(
  image: Image,
  bench: Bench,
  resources: AsyncDisposableStack,
): Promise<Contender> {
  const slipway = await startSlipway(join(bench.folder, 'slipway'), bench, resources)
  let round = 0
  const begin = async () => {
    const name = `bench-${(round += 1)}`
    const before = await writtenBy(image.registry.pid)
    return {
      run: () => slipway.importImage(name, image.reference),
      end: async () => {
        await assertFetched(image, before)
        await assertDigest(slipway.disk(name), image.sha256, bench)
        await slipway.remove(name)
      },
    }
  }
  return { name: 'slipway', pid: slipway.pid, begin }
}

/** A layer that is there already is not fetched, which would be no import to measure. */
async function assertFetched({ registry, layer }: Image, before: number | null): Promise<void> {
  const after = await writtenBy(registry.pid)
  if (before === null || after === null || after - before >= layer.size) return
  throw new Error(`the registry gave ${after - before} bytes of a layer of ${layer.size}`)
}
