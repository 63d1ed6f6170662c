import { readdir, readFile, open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import { tarOf } from '../fixtures/tar-by-hand.ts'
import { disk, mebibyte } from './disks.ts'
import type { HostileRegistry, Lie } from './hostile-registry.ts'
import { forever } from './http-neighbour.ts'
import { expectOnly } from './leftovers.ts'
import { get, type Source } from './rest.ts'
import type { Service } from './service.ts'

/** A disk in a layer, behind other members and before others, and imports of it that are cut. */

export const size = 20 * mebibyte
export const bytes = disk(size)
export const note = { name: 'etc/motd', data: Buffer.from('hello\n') }
export const issue = { ...note, name: 'etc/issue' }
export const layer = tarOf(note, { name: 'disk/x.img', data: bytes }, issue)
const above = tarOf({ ...note, name: 'etc/hosts' })

/** Where nine tenths have come of the layer: with them a block of what is staged is full, which is written at once. */
export const at = 18 * mebibyte + 1536

export const source = (image: string): Source => ({
  type: 'ContainerImage',
  containerImage: { image },
})

export const honest: Lie = (script) => script
/** Stops in the first answer for good, and gives everything later. */
export const stalled: Lie = (honest) => (nth) =>
  nth === 1 ? { ...honest, pause: { at, until: forever } } : honest

/** Bytes that a registry sent of everything. */
export const sent = ({ requests }: HostileRegistry) =>
  requests.reduce((sum, { sent }) => sum + sent, 0)

/** The layer with the disk, and another one above it. */
export function inLayer(registry: HostileRegistry, lie: Lie): string {
  return registry.image('1', [layer, above], { layers: [lie, honest] })
}

/** A layer that is stored compressed. */
export function compressed(registry: HostileRegistry, blob: Buffer, lie: Lie): string {
  const rootfs = { type: 'layers', diff_ids: [digestOf(layer)] }
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }))
  const layers = [registry.blob(blob, lie)]
  return tagged(registry, { ...registry.blob(config), mediaType: mediaTypes.config }, layers)
}

/** A disk as oras pushes it. */
export function asArtifact(registry: HostileRegistry, blob: Buffer, lie: Lie): string {
  const config = registry.blob(Buffer.from('{}'))
  const layers = [{ ...registry.blob(blob, lie), mediaType: 'application/vnd.example.disk' }]
  return tagged(registry, { ...config, mediaType: 'application/vnd.oci.empty.v1+json' }, layers)
}

function tagged(registry: HostileRegistry, config: object, layers: readonly object[]): string {
  const mediaType = mediaTypes.manifest
  registry.manifest('1', { schemaVersion: 2, mediaType, config, layers })
  return registry.reference('1')
}

/** The image is Ready with this disk, and nothing else is here. */
export async function expectDisk({ rest, folder }: Service, whole = bytes): Promise<void> {
  await rest.ready('cut', 120_000)
  const read = await get(rest.url('/cut/disk'))
  expect(Buffer.from(await read.arrayBuffer()).equals(whole)).toBe(true)
  await expectOnly(folder, ['cut'])
}

/** The same, of a source that is not the disk itself. */
export async function expectSource(service: Service, sent: Buffer): Promise<void> {
  const { status } = await service.rest.ready('cut', 120_000)
  expect(status.source).toMatchObject({
    bytes: String(sent.length),
    sha256: digestOf(sent).slice('sha256:'.length),
  })
}

/** Brings an import to where its source has stalled, with all that has come safe, and ends the service there. */
export async function cut(
  service: Service,
  how: 'kill -9' | 'SIGTERM',
  from: Source,
): Promise<void> {
  const { rest } = service
  await rest.create('cut', from)
  await rest.until('cut', ({ status }) => Number(status.receivedBytes ?? 0) >= at)
  if (how === 'SIGTERM') return await service.stop()
  await expect.poll(() => durable(service), { timeout: 10_000 }).toBeGreaterThan(at * 0.99)
  await service.kill()
}

/** How much of what is staged survives a crash. */
export async function durable(service: Service): Promise<number> {
  const staging = join(service.folder, 'staging')
  const offset = (id: string) => readFile(join(staging, id, 'offset'), 'latin1')
  const ids = await readdir(staging)
  return Math.max(0, ...(await Promise.all(ids.map((id) => offset(id).then(Number, () => 0)))))
}

/** As nothing should, but disks do. */
export async function damage(service: Service, position: number): Promise<void> {
  const staging = join(service.folder, 'staging')
  const [id = ''] = await readdir(staging)
  const file = await open(join(staging, id, 'data'), 'r+')
  try {
    await file.write(Buffer.from('damaged'), 0, null, position)
  } finally {
    await file.close()
  }
}
