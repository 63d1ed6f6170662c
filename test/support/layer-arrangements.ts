import { mkdtemp } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { Layout, type LayeredOptions } from './clients-layout.ts'
import type { Home } from './clients.ts'
import type { LocalImage } from './container-images.ts'

/** One member of a layer: a file unless `type` says otherwise. */
export type Entry = {
  readonly name: string
  readonly bytes?: Buffer
  readonly type?: 'directory' | 'link' | 'symlink'
  readonly linkname?: string
}
/** The lowest first. */
export type Layers = readonly (readonly Entry[])[]

const mtime = new Date(0)

/** A layer, byte by byte. */
export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack()
  for (const { bytes, ...headers } of entries) archive.entry({ ...headers, mtime }, bytes ?? '')
  archive.finalize()
  return await buffer(archive)
}

/** An image of layers that were written byte by byte, which no program makes to order. */
export async function layered(
  home: Home,
  layers: Layers,
  options: LayeredOptions = {},
): Promise<LocalImage> {
  const layout = await Layout.begin(await mkdtemp(home.at('layers-')))
  const tars = await Promise.all(layers.map(tarOf))
  await layout.finish({ 1: await layout.layered(tars, options) })
  return `oci:${layout.path}:1`
}

type Arrangement = {
  readonly layers: Layers
  /** The disk's path in the image, null where there is none in the end. */
  readonly disk: string | null
}

const folder: Entry = { name: 'disk/', type: 'directory' }
const whiteout = (name: string): Entry => ({ name })
const filler = (nth: number): Entry => ({
  name: `etc/filler-${nth}`,
  bytes: Buffer.from(`filler ${nth}\n`),
})

/** So many layers, the `nth` of them with the disk. */
function among(count: number, nth: number, disk: readonly Entry[]): Layers {
  return Array.from({ length: count }, (_, each) => (each === nth ? disk : [filler(each)]))
}

/**
 * The ways in which a disk lies in the layers of an image, by what they are.
 * @param bytes of the disk
 * @param older bytes that are not the disk's, in what later layers replace or remove
 */
export function arrangements(
  bytes: Buffer,
  older: Buffer,
): { readonly [what: string]: Arrangement } {
  const at = (name: string, content = bytes): Entry => ({ name, bytes: content })
  const disk = [folder, at('disk/x.img')]
  const old = [folder, at('disk/x.img', older)]
  const found = (layers: Layers, disk = 'disk/x.img') => ({ layers, disk })
  const nothing = (layers: Layers) => ({ layers, disk: null })
  return {
    'in the only layer': found([disk]),
    'without a folder': found([[at('disk/x.img')]]),
    'under ./disk': found([[at('./disk/x.img')]]),
    'under /disk': found([[at('/disk/x.img')]]),
    'under a name that tar has no room for': found(
      [[at(`disk/${'x'.repeat(200)}.img`)]],
      `disk/${'x'.repeat(200)}.img`,
    ),
    'in the first of 40 layers': found(among(40, 0, disk)),
    'in the middle of 40 layers': found(among(40, 20, disk)),
    'in the last of 40 layers': found(among(40, 39, disk)),
    'overwritten by a later layer': found([old, [filler(1)], disk]),
    'whited out, and put there again': found([old, [whiteout('disk/.wh.x.img')], disk]),
    'in a folder that is opaque': found([
      [folder, at('disk/old.img', older)],
      [folder, whiteout('disk/.wh..wh..opq'), at('disk/x.img')],
    ]),
    'beside one that is whited out': found([
      [...disk, at('disk/old.img', older)],
      [whiteout('disk/.wh.old.img')],
    ]),
    'after its folder was whited out': found([
      [folder, at('disk/old.img', older)],
      [whiteout('.wh.disk')],
      disk,
    ]),
    'linked from elsewhere': found([
      [
        ...disk,
        { name: 'srv/', type: 'directory' },
        { name: 'srv/x.img', type: 'link', linkname: 'disk/x.img' },
      ],
    ]),
    'a link to a file elsewhere': found([
      [at('srv/x.img'), folder, { name: 'disk/x.img', type: 'link', linkname: 'srv/x.img' }],
    ]),
    'whited out': nothing([disk, [whiteout('disk/.wh.x.img')]]),
    'whited out with its folder': nothing([disk, [filler(1)], [whiteout('.wh.disk')]]),
    'hidden by a folder that is opaque': nothing([disk, [folder, whiteout('disk/.wh..wh..opq')]]),
    'in another folder': nothing([[at('diskfoo/x.img'), at('srv/disk/x.img')]]),
    nowhere: nothing([[filler(1)]]),
  }
}
