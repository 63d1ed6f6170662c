import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Encoding } from './encoding.ts'
import { modulesFrom } from './modules.ts'
import { packages, type BrowserPackage } from './packages.ts'

/** A file that the browser loads, by its path among the assets. */
export type Asset = {
  readonly type: string
  /** As sent to who takes it so: worked out once, when it is asked for the first time. */
  readonly as: (encoding: Encoding) => Promise<Buffer>
}

const types: { readonly [extension: string]: string } = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const own = fileURLToPath(new URL('browser/', import.meta.url))
/** Of the module that begins. */
const entry = 'page/main.js'
/** Fast: a page is small, and the first visitor waits for it. */
const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }
const brotli = promisify(brotliCompress)
const ways = { br: (bytes: Buffer) => brotli(bytes, quality), gzip: promisify(gzip) } as const

/**
 * Everything the browser loads: our own modules under `page/`, those of packages under their names. They are read once, at the
 * start, and so are the same until the process ends.
 */
export class Assets {
  readonly #files: ReadonlyMap<string, Asset>
  readonly #textAt: (path: string) => string | null
  /** Paths of the modules that the page begins with, the first one first. */
  readonly modules: readonly string[]
  /** Other assets have another version, so that a browser may keep what it has for ever. */
  readonly version: string

  private constructor(found: ReadonlyMap<string, Buffer>) {
    this.#files = new Map(Array.from(found, ([path, bytes]) => [path, assetOf(path, bytes)]))
    this.version = versionOf(found)
    this.#textAt = (path) => found.get(path)?.toString() ?? null
    this.modules = this.modulesFrom(entry)
  }

  static load(): Assets {
    const found = new Map<string, Buffer>()
    for (const path of filesIn(own)) found.set(`page/${path}`, readFileSync(join(own, path)))
    for (const each of packages) gather(each, found)
    return new Assets(found)
  }

  get paths(): readonly string[] {
    return [...this.#files.keys()]
  }

  /** A module and all that it imports. @throws Error when that is not all here */
  modulesFrom(path: string): readonly string[] {
    return modulesFrom(path, this.#textAt, named)
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

/** What a name stands for; one that ends with a slash stands for a folder. */
function named(specifier: string): string | null {
  for (const { name, imports } of packages) {
    for (const [key, path] of Object.entries(imports)) {
      if (key === specifier) return `${name}/${path}`
      if (key.endsWith('/') && specifier.startsWith(key)) {
        return `${name}/${path}${specifier.slice(key.length)}`
      }
    }
  }
  return null
}

function versionOf(found: ReadonlyMap<string, Buffer>): string {
  const hash = createHash('sha256')
  for (const [path, bytes] of found) hash.update(`${path}\0${bytes.length}\0`).update(bytes)
  return hash.digest('hex').slice(0, 16)
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
  return madeOf(types[extname(path)] ?? 'application/octet-stream', bytes)
}

/** A text that was made here, to be sent as assets are. */
export function textAsset(type: string, text: string): Asset {
  return madeOf(type, Buffer.from(text))
}

function madeOf(type: string, bytes: Buffer): Asset {
  const made = new Map<Encoding, Promise<Buffer>>()
  return {
    type,
    async as(encoding) {
      if (encoding === null) return bytes
      const known = made.get(encoding) ?? ways[encoding](bytes)
      made.set(encoding, known)
      return await known
    },
  }
}
