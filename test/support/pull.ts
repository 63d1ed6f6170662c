import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { needs } from './programs.ts'
import { run } from './shell.ts'

/** Whether images can be pulled here as a node does it. */
export function canPull(): boolean {
  return [needs('skopeo', 'apt-get install skopeo'), needs('tar', 'apt-get install tar')].every(
    Boolean,
  )
}

const descriptor = z.object({ digest: z.string(), size: z.int() })
const manifestSchema = z.object({ config: descriptor, layers: z.tuple([descriptor]) })
const configSchema = z.object({
  config: z.object({ Labels: z.record(z.string(), z.string()) }),
})

export type Pulled = {
  /** Names under `/disk` of the image. */
  readonly files: readonly string[]
  /** Path of the first of them. */
  readonly disk: string
  readonly layer: z.output<typeof descriptor>
  readonly labels: Readonly<Record<string, string>>
}

/** Pulls an image with skopeo, which checks every digest, and unpacks its layer with tar. */
export async function pull(base: string, name: string, into: string): Promise<Pulled> {
  const reference = `docker://${new URL(base).host}/cvi/${name}:latest`
  const unpacked = `${into}-unpacked`
  await mkdir(unpacked)
  await run('skopeo', [
    '--insecure-policy',
    'copy',
    '--src-tls-verify=false',
    reference,
    `dir:${into}`,
  ])
  const manifest = manifestSchema.parse(await json(join(into, 'manifest.json')))
  const [layer] = manifest.layers
  const config = configSchema.parse(await json(join(into, hexOf(manifest.config.digest))))
  await run('tar', ['-xf', join(into, hexOf(layer.digest)), '-C', unpacked, '--no-same-owner'])
  const files = await readdir(join(unpacked, 'disk'))
  const disk = join(unpacked, 'disk', files[0] ?? '')
  return { files, disk, layer, labels: config.config.Labels }
}

async function json(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'))
}

function hexOf(digest: string): string {
  return digest.replace(/^sha256:/, '')
}
