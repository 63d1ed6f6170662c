import { shown, unsafe } from './flaws.ts'

/** Where a member of a layer lies, as far as the disk is concerned. */
export type Place =
  /** Anywhere else. */
  | { readonly at: 'outside'; readonly top: string; readonly isTop: boolean }
  /** `disk` itself. */
  | { readonly at: 'folder' }
  /** Directly under it, where the disk is. */
  | { readonly at: 'file'; readonly name: string }
  /** Deeper, in the directory `name` of it. */
  | { readonly at: 'below'; readonly name: string; readonly path: string }
  /** Of lower layers' `disk/` this name is not seen, or nothing (null). */
  | { readonly at: 'whiteout'; readonly hides: string | null }

/** OCI image-spec, layer.md, "Whiteouts". */
const whiteout = '.wh.'
const opaque = '.wh..wh..opq'
/** aufs' own files; only the opaque marker means something. */
const meta = '.wh..wh.'

export const diskFolder = 'disk'

/** No file system takes a longer name. */
const mostNameBytes = 255

/**
 * Reads a name as everybody does: `disk/x`, `./disk/x` and `/disk/x` are the same, since a layer is unpacked into a root of
 * its own. Absolute names are therefore harmless, and what is not under `disk/` is passed over anyway. A name with `..` could
 * lead anywhere and is refused wherever it stands; so is any other way to spell a name under `disk/` (`disk//x`), which only
 * some readers would find there.
 * @throws Flaw UNSAFE_ARCHIVE
 */
export function placeOf(name: string): Place {
  const parts = partsOf(name)
  const [top = '', second, ...deeper] = parts
  const isWhiteout = second === undefined && isMarker(top)
  if (top !== diskFolder && !isWhiteout) return { at: 'outside', top, isTop: second === undefined }
  if (parts.join('/') !== plain(name)) {
    throw unsafe(
      `the name "${shown(name)}" is spelled in a way that readers understand differently`,
    )
  }
  if (isWhiteout) return { at: 'whiteout', hides: null }
  if (second === undefined) return { at: 'folder' }
  return deeper.length > 0 ? { at: 'below', name: second, path: parts.join('/') } : inFolder(second)
}

/** What readers must agree in whichever of a member's names they take. */
export function ground(name: string): 'outside' | 'disk' | 'whiteout' {
  const { at } = placeOf(name)
  return at === 'outside' || at === 'whiteout' ? at : 'disk'
}

function partsOf(name: string): readonly string[] {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw unsafe(`the name "${shown(name)}" leads upwards with ".."`)
  return parts
}

function plain(name: string): string {
  return name.replace(/^\.?\//, '').replace(/\/$/, '')
}

/** Both hide all that lower layers have in `disk/`: of the folder itself, and of the whole root. */
function isMarker(top: string): boolean {
  return top === `${whiteout}${diskFolder}` || top === opaque
}

function inFolder(name: string): Place {
  if (Buffer.byteLength(name) > mostNameBytes) {
    throw unsafe(
      `the name "${shown(name)}" under ${diskFolder}/ is longer than ${mostNameBytes} bytes`,
    )
  }
  if (name === opaque) return { at: 'whiteout', hides: null }
  if (name.startsWith(meta)) return { at: 'below', name, path: `${diskFolder}/${name}` }
  if (!name.startsWith(whiteout)) return { at: 'file', name }
  const hides = name.slice(whiteout.length)
  if (!['', '.', '..'].includes(hides)) return { at: 'whiteout', hides }
  throw unsafe(`the whiteout "${diskFolder}/${name}" names no file`)
}
