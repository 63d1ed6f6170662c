import { randomUUID } from 'node:crypto'
import { copyFile, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { needsRoot, needsTool, tool, type Home } from './clients.ts'
import type { Compression } from './clients-layout.ts'
import { needs } from './programs.ts'

/** Container images with a disk inside, made by the programs that people make them with. */

/** Whether all of these programs are here. */
export function canMakeImages(): boolean {
  return [
    needs('skopeo', 'apt-get install skopeo'),
    needs('umoci', 'apt-get install umoci'),
    needs('buildah', 'apt-get install buildah'),
    needsRoot('buildah'),
    needsTool('oras'),
  ].every(Boolean)
}

/** An image on this machine, as skopeo names it: `oci:/folder:tag`, `docker-archive:/file`. */
export type LocalImage = string

async function place(home: Home): Promise<string> {
  return await mkdtemp(home.at('made-'))
}

async function buildah(home: Home, ...args: readonly string[]): Promise<string> {
  const folders = ['root', 'runroot'].flatMap((name) => [`--${name}`, home.at(name)])
  return await home.run('buildah', ...folders, '--storage-driver', 'vfs', ...args)
}

async function skopeo(home: Home, ...args: readonly string[]): Promise<string> {
  return await home.run('skopeo', '--insecure-policy', ...args)
}

/** The Dockerfile of the admin guide. */
const guide = ['FROM scratch', 'COPY x.img /disk/x.img']

/**
 * An image as buildah builds it, with a gzipped layer for each COPY.
 * @param files what the Dockerfile may name: in the guide's, `x.img`
 */
export async function builtByBuildah(
  home: Home,
  files: { readonly [name: string]: string },
  dockerfile: readonly string[] = guide,
): Promise<LocalImage> {
  const context = await contextOf(home, files, dockerfile)
  const id = await buildah(home, 'build', '--isolation', 'chroot', '--layers', '--quiet', context)
  const made = `oci:${await place(home)}:1`
  await buildah(home, 'push', '--quiet', id.trim(), made)
  return made
}

async function contextOf(
  home: Home,
  files: { readonly [name: string]: string },
  dockerfile: readonly string[],
): Promise<string> {
  const context = await place(home)
  for (const [name, file] of Object.entries(files)) await copyFile(file, join(context, name))
  await writeFile(join(context, 'Dockerfile'), `${dockerfile.join('\n')}\n`)
  return context
}

/** An index of one image for each architecture, with another disk in each. */
export async function builtForPlatforms(
  home: Home,
  disks: { readonly [architecture: string]: string },
): Promise<LocalImage> {
  const files = Object.fromEntries(
    Object.entries(disks).map(([architecture, file]) => [`${architecture}.img`, file]),
  )
  const dockerfile = ['FROM scratch', 'ARG TARGETARCH', 'COPY ${TARGETARCH}.img /disk/x.img']
  const context = await contextOf(home, files, dockerfile)
  const platforms = Object.keys(disks).map((architecture) => `linux/${architecture}`)
  const index = randomUUID()
  const into = ['--platform', platforms.join(','), '--manifest', index]
  await buildah(home, 'build', '--isolation', 'chroot', '--quiet', ...into, context)
  const made = `oci:${await place(home)}:1`
  await buildah(home, 'manifest', 'push', '--quiet', '--all', index, made)
  return made
}

/**
 * An image as umoci makes it, a layer for each `umoci insert`: its tars lack the padding and the end of an archive.
 * @param inserts what follows `umoci insert`: `[file, '/disk/x.img']`, `['--whiteout', '/disk/x.img']`
 */
export async function madeByUmoci(
  home: Home,
  ...inserts: readonly (readonly string[])[]
): Promise<LocalImage> {
  const layout = join(await place(home), 'layout')
  const image = ['--image', `${layout}:1`]
  await home.run('umoci', 'init', '--layout', layout)
  await home.run('umoci', 'new', ...image)
  for (const insert of inserts) await home.run('umoci', 'insert', '--rootless', ...image, ...insert)
  return `oci:${layout}:1`
}

/** The same image with its layers compressed in another way, as skopeo does it. */
export async function compressedAs(
  home: Home,
  image: LocalImage,
  compression: Compression,
): Promise<LocalImage> {
  const plain = `dir:${await place(home)}`
  await skopeo(home, 'copy', '--quiet', '--dest-decompress', image, plain)
  const how = {
    plain: ['--dest-oci-accept-uncompressed-layers'],
    gzip: [],
    zstd: ['--dest-compress-format', 'zstd'],
  }
  const made = `oci:${await place(home)}:1`
  await skopeo(home, 'copy', '--quiet', ...how[compression], plain, made)
  return made
}

/** What `docker save` writes. */
export async function saved(home: Home, image: LocalImage): Promise<LocalImage> {
  const file = join(await place(home), 'saved.tar')
  await skopeo(home, 'copy', '--quiet', image, `docker-archive:${file}:example.com/saved:1`)
  return `docker-archive:${file}`
}

/**
 * Pushes an image with all that it leads to.
 * @param to as docker names it, at a registry without TLS
 * @param format how it arrives: as it is, or in Docker's schema 2, which knows gzip alone
 * @returns its digest there
 */
export async function push(
  home: Home,
  image: LocalImage,
  to: string,
  format: 'as it is' | 'docker' = 'as it is',
): Promise<string> {
  const file = join(await place(home), 'digest')
  const how = format === 'docker' ? ['--format', 'v2s2'] : ['--preserve-digests']
  // An archive has no digests yet.
  const keep = image.startsWith('docker-archive:') ? [] : how
  const plain = ['--quiet', '--all', '--dest-tls-verify=false', '--digestfile', file]
  await skopeo(home, 'copy', ...plain, ...keep, image, `docker://${to}`)
  return await readFile(file, 'utf8')
}

/**
 * Pushes files as they are, as oras does it.
 * @param files in the home's folder, as oras takes them: `disk.qcow2`, `disk.qcow2:application/x-qemu-disk`
 * @param more further arguments: `['--artifact-type', 'application/vnd.example']`
 */
export async function pushedByOras(
  home: Home,
  to: string,
  files: readonly string[],
  more: readonly string[] = [],
): Promise<void> {
  await home.run(tool('oras'), 'push', '--plain-http', '--no-tty', ...more, to, ...files)
}
