import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Descriptor } from '../../support/clients-layout.ts'
import type { Bench, Contender } from '../bench.ts'
import { run } from '../command.ts'

/** Pushes an image as it is, to a registry without TLS. */
export async function pushImage(
  layout: string,
  image: string,
  { within, signal }: Bench,
): Promise<void> {
  const how = ['--quiet', '--preserve-digests', '--dest-tls-verify=false']
  await run('skopeo', copy(how, `oci:${layout}`, `docker://${image}`), within, signal)
}

/** An image out of a registry into a folder, with its layers as they are, until the files are on the disk. */
export function copyingImage(image: string, layer: Descriptor, bench: Bench): Contender {
  const { within, signal } = bench
  const folder = join(bench.folder, 'skopeo')
  const how = ['--quiet', '--preserve-digests', '--src-tls-verify=false']
  const fetch = async () => {
    await run('skopeo', copy(how, `docker://${image}`, `dir:${folder}`), within, signal)
    const files = (await readdir(folder)).map((name) => join(folder, name))
    await run('sync', [...files, folder], within, signal)
  }
  const end = async () => {
    const { size } = await stat(join(folder, layer.digest.replace('sha256:', '')))
    if (size !== layer.size) throw new Error(`skopeo kept ${size} bytes of ${layer.size}`)
    await rm(folder, { recursive: true })
  }
  return { name: 'skopeo copy, sync', pid: null, begin: async () => ({ run: fetch, end }) }
}

function copy(how: readonly string[], from: string, to: string): readonly string[] {
  return ['--insecure-policy', 'copy', ...how, from, to]
}
