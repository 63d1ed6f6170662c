import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants } from 'node:zlib'
import { packages, type BrowserPackage } from './packages.ts'

/** A file that the browser loads, by its path among the assets. */
export type Asset = {
  readonly type: string
  readonly bytes: Buffer
  /** As sent to who takes it. */
  readonly brotli: () => Promise<Buffer>
}

const types: { readonly [extension: string]: string } = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const own = fileURLToPath(new URL('browser/', import.meta.url))
const compress = promisify(brotliCompress)
/** Fast: a page is small, and the first visitor waits for it. */
const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }

/**
 * Everything the browser loads: our own modules under `page/`, those of packages under their names. They are read once, at the
 * start, and so are the same until the process ends.
 */
export class Assets {
  readonly #files: ReadonlyMap<string, Asset>
  /** Other assets have another version, so that a browser may keep what it has for ever. */
  readonly version: string

  private constructor(files: ReadonlyMap<string, Asset>, version: string) {
    this.#files = files
    this.version = version
  }

  static load(): Assets {
    const found = new Map<string, Buffer>()
    for (const path of filesIn(own)) found.set(`page/${path}`, readFileSync(join(own, path)))
    for (const each of packages) gather(each, found)
    const hash = createHash('sha256')
    for (const [path, bytes] of found) hash.update(`${path}\0${bytes.length}\0`).update(bytes)
    const files = new Map(Array.from(found, ([path, bytes]) => [path, assetOf(path, bytes)]))
    return new Assets(files, hash.digest('hex').slice(0, 16))
  }

  at(path: string): Asset | null {
    return this.#files.get(path) ?? null
  }

  /** What names in imports stand for, seen from the page (HTML, "Import maps"). */
  importMap(): string {
    const imports = packages.flatMap(({ name, imports }) =>
      Object.entries(imports).map(([specifier, path]) => [
        specifier,
        `./assets/${this.version}/${name}/${path}`,
      ]),
    )
    return JSON.stringify({ imports: Object.fromEntries(imports) })
  }
}

function gather({ name, files }: BrowserPackage, into: Map<string, Buffer>): void {
  const folder = folderOf(name)
  for (const file of files) {
    const path = join(folder, file)
    if (statSync(path).isFile()) into.set(`${name}/${file}`, readFileSync(path))
    else {
      for (const inner of filesIn(path)) {
        into.set(`${name}/${file}/${inner}`, readFileSync(join(path, inner)))
      }
    }
  }
}

/** Some packages export nothing but their modules, so they are looked for where modules are. */
function folderOf(name: string): string {
  const places = createRequire(import.meta.url).resolve.paths(name) ?? []
  const found = places.map((place) => join(place, name)).find((path) => isThere(path))
  if (found === undefined) throw new Error(`the package ${name} is not installed`)
  return found
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** Sorted paths of what a browser takes, with slashes. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => extname(path) in types)
    .map((path) => path.split(sep).join('/'))
    .sort()
}

function assetOf(path: string, bytes: Buffer): Asset {
  let compressed: Promise<Buffer> | null = null
  return {
    type: types[extname(path)] ?? 'application/octet-stream',
    bytes,
    brotli: () => (compressed ??= compress(bytes, quality)),
  }
}
