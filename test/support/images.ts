import { createReadStream } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { noise } from '../fixtures/noise.ts'
import { needs } from './programs.ts'
import { run } from './shell.ts'

/** Images as people make them: by real programs, out of real files. */

/** Whether they can be made here. */
export function canMakeImages(): boolean {
  return [
    needs('mkfs.ext4', 'apt-get install e2fsprogs'),
    needs('qemu-img', 'apt-get install qemu-utils'),
    needs('xorriso', 'apt-get install xorriso'),
    needs('gzip', 'apt-get install gzip'),
  ].every(Boolean)
}

/** A folder with what a small system has: texts, something that compresses well, something that does not at all. */
export async function makeTree(folder: string): Promise<string> {
  const tree = join(folder, 'tree')
  await mkdir(join(tree, 'etc'), { recursive: true })
  await mkdir(join(tree, 'boot'))
  await writeFile(join(tree, 'etc', 'hostname'), 'slipway\n')
  await writeFile(join(tree, 'etc', 'services'), 'ssh 22/tcp\n'.repeat(60_000))
  await writeFile(join(tree, 'boot', 'kernel'), noise(3_000_000))
  return tree
}

/** A filesystem of 24 MiB with the tree in it, on a disk without partitions. */
export async function ext4Disk(folder: string, tree: string): Promise<string> {
  const path = join(folder, 'disk.raw')
  await run('mkfs.ext4', ['-q', '-F', '-L', 'slipway', '-d', tree, path, '24M'])
  return path
}

/** With compressed clusters. */
export async function compressedQcow2(folder: string, disk: string): Promise<string> {
  const path = join(folder, 'disk.qcow2')
  await run('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', disk, path])
  return path
}

/** ISO 9660 with Rock Ridge and Joliet. */
export async function isoOf(folder: string, tree: string): Promise<string> {
  const path = join(folder, 'example.iso')
  await run('xorriso', ['-as', 'mkisofs', '-quiet', '-J', '-R', '-V', 'SLIPWAY', '-o', path, tree])
  return path
}

/** Leaves the file where it is. */
export async function gzipped(path: string): Promise<string> {
  await run('gzip', ['-k', '-1', path])
  return `${path}.gz`
}

/** A file of zeros that takes no room; the mark of a boot sector makes it a disk. */
export async function sparseDisk(folder: string, size: number): Promise<string> {
  const path = join(folder, 'sparse.img')
  await using file = await open(path, 'wx')
  await file.write(Buffer.from([0x55, 0xaa]), 0, 2, 510)
  await file.truncate(size)
  return path
}

const qemuInfo = z.object({ format: z.string(), 'virtual-size': z.int() })

/** What qemu-img finds in a file, or behind a URL. */
export async function qemuImgInfo(what: string) {
  const found = qemuInfo.parse(JSON.parse(await run('qemu-img', ['info', '--output=json', what])))
  return { format: found.format, virtualSize: found['virtual-size'] }
}

const qemuCheck = z.object({ 'compressed-clusters': z.int() })

export async function compressedClusters(path: string): Promise<number> {
  const told = await run('qemu-img', ['check', '--output=json', path])
  return qemuCheck.parse(JSON.parse(told))['compressed-clusters']
}

/** In hex. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
