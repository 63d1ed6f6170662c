import { closeSync, ftruncateSync, mkdirSync, openSync, utimesSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Change } from './recording.ts'

/** What came of what was not yet durable when the power went. Asked once for each change, in order. */
export type Fate = {
  /** Whether a name was given or taken away. */
  readonly isNamed: () => boolean
  /** Asked once for each file: whether one write, or one sector of it, has reached the disk. */
  readonly ofFile: () => (sector: number) => boolean
}

/** What a disk writes whole or not at all, in bytes. */
const sectorSize = 512
/** Modification times of what a crash has left, seconds ago: a sweep takes what is old. */
const old = 2 * 86_400

type Write = { readonly at: number; readonly offset: number; readonly bytes: Buffer | number }
type Cut = { readonly at: number; readonly length: number }

class File {
  readonly #pending: (Write | Cut)[] = []
  #durable: Buffer = Buffer.alloc(0)

  change(step: Write | Cut): void {
    this.#pending.push(step)
  }

  /** What was done before the sync began stays for good. */
  sync(began: number): void {
    const count = this.#pending.findIndex(({ at }) => at > began)
    const steps = this.#pending.splice(0, count < 0 ? this.#pending.length : count)
    this.#durable = steps.reduce(apply, this.#durable)
  }

  after({ ofFile }: Fate): Buffer {
    if (this.#pending.length === 0) return this.#durable
    const isKept = ofFile()
    const kept = this.#pending.flatMap((step) => keptOf(step, isKept))
    return kept.reduce(apply, Buffer.from(this.#durable))
  }
}

class Folder {
  /** As programs see it. */
  readonly now = new Map<string, Node>()
  readonly durable = new Map<string, Node>()
}

type Node = File | Folder
type Name = { readonly folder: Folder; readonly name: string }

/** A change of names that is there or not as a whole. It is durable when the folder of `made`, or else of `gone`, was synced. */
type Naming = {
  readonly at: number
  readonly gone: Name | null
  readonly made: (Name & { readonly node: Node }) | null
}

/**
 * A filesystem that keeps what POSIX promises, and no more: bytes and length of a file are safe once it was synced, a name
 * once its folder was. Of everything else any part may be there after the lights went out, in any order, but that names which
 * took each other's place did so in turn, and that a rename is there or not, as on every filesystem with a journal.
 */
export class Disk {
  readonly #root = new Folder()
  readonly #byNumber = new Map<bigint, Node>()
  readonly #syncing = new Map<number, number>()
  #pending: Naming[] = []

  /** @param root the number of the recorded folder */
  constructor(root: bigint) {
    this.#byNumber.set(root, this.#root)
  }

  play(change: Change): void {
    const { kind, file, path, path2, offset, start: at } = change
    if (kind === 'create') this.#make(at, path, this.#numbered(file, new File()))
    else if (kind === 'folder') this.#make(at, path, this.#numbered(file, new Folder()))
    else if (kind === 'write') this.#file(file)?.change({ at, offset, bytes: bytesOf(change) })
    else if (kind === 'truncate') this.#file(file)?.change({ at, length: offset })
    else if (kind === 'rename') this.#rename(at, path, path2)
    else if (kind === 'link') this.#make(at, path2, this.#nodeAt(path))
    else if (kind === 'unlink' || kind === 'rmdir')
      this.#name({ at, gone: this.#at(path), made: null })
    else if (kind === 'syncing') this.#syncing.set(offset, at)
    else this.#sync(file, this.#syncing.get(offset) ?? at)
  }

  /** Writes what is there after a power cut into an empty folder. */
  write(to: string, fate: Fate): void {
    const kept = new Set<Naming>()
    for (const naming of this.#pending) if (fate.isNamed()) this.#withCauses(naming, kept)
    const names = new Map<Folder, Map<string, Node>>()
    const namesOf = (folder: Folder) => {
      const known = names.get(folder) ?? new Map(folder.durable)
      names.set(folder, known)
      return known
    }
    for (const naming of this.#pending) if (kept.has(naming)) happen(naming, namesOf)
    writeFolder(this.#root, to, namesOf, fate)
  }

  #numbered<Kind extends Node>(number: bigint, node: Kind): Kind {
    this.#byNumber.set(number, node)
    return node
  }

  /** Null for one that was there before the recording, which there is none of that matters. */
  #file(number: bigint): File | null {
    const node = this.#byNumber.get(number)
    return node instanceof File ? node : null
  }

  #at(path: string): Name {
    const folder = this.#nodeAt(dirname(path))
    if (folder instanceof Folder) return { folder, name: basename(path) }
    throw new Error(`${path} lies in no folder`)
  }

  #nodeAt(path: string): Node {
    let node: Node | undefined = this.#root
    for (const part of path.split('/').filter((part) => part !== '' && part !== '.')) {
      node = node instanceof Folder ? node.now.get(part) : undefined
    }
    if (node) return node
    throw new Error(`the recording has a gap: nothing has made ${path}`)
  }

  #make(at: number, path: string, node: Node): void {
    this.#name({ at, gone: null, made: { ...this.#at(path), node } })
  }

  #rename(at: number, from: string, to: string): void {
    const node = this.#nodeAt(from)
    this.#name({ at, gone: this.#at(from), made: { ...this.#at(to), node } })
  }

  #name(naming: Naming): void {
    happen(naming, ({ now }) => now)
    this.#pending.push(naming)
  }

  #sync(number: bigint, began: number): void {
    const node = this.#byNumber.get(number)
    if (node instanceof File) return node.sync(began)
    const durable = new Set<Naming>()
    for (const naming of this.#pending) {
      const { folder } = naming.made ?? naming.gone ?? {}
      if (folder === node && naming.at < began) this.#withCauses(naming, durable)
    }
    for (const naming of this.#pending)
      if (durable.has(naming)) happen(naming, (one) => one.durable)
    this.#pending = this.#pending.filter((naming) => !durable.has(naming))
  }

  /** What has happened to a name before comes before what happens to it now. */
  #withCauses(naming: Naming, into: Set<Naming>): void {
    if (into.has(naming)) return
    into.add(naming)
    for (const earlier of this.#pending) {
      if (earlier.at >= naming.at) return
      if (touched(earlier).some((one) => touched(naming).some((other) => isSame(one, other)))) {
        this.#withCauses(earlier, into)
      }
    }
  }
}

function touched({ gone, made }: Naming): readonly Name[] {
  return [gone, made].filter((name) => name !== null)
}

function isSame(one: Name, other: Name): boolean {
  return one.folder === other.folder && one.name === other.name
}

function happen({ gone, made }: Naming, namesOf: (folder: Folder) => Map<string, Node>): void {
  if (gone) namesOf(gone.folder).delete(gone.name)
  if (made) namesOf(made.folder).set(made.name, made.node)
}

function bytesOf({ bytes, length }: Change): Buffer | number {
  return bytes ?? length
}

function apply(content: Buffer, step: Write | Cut): Buffer {
  if ('length' in step) return resized(content, step.length)
  const { offset, bytes } = step
  const length = typeof bytes === 'number' ? bytes : bytes.length
  const grown = offset + length > content.length ? resized(content, offset + length) : content
  if (typeof bytes === 'number') grown.fill(0, offset, offset + length)
  else bytes.copy(grown, offset)
  return grown
}

function resized(content: Buffer, length: number): Buffer {
  if (length <= content.length) return Buffer.from(content.subarray(0, length))
  return Buffer.concat([content, Buffer.alloc(length - content.length)])
}

/** The sectors of a write that have reached the disk, those that lie side by side as one. */
function keptOf(step: Write | Cut, isKept: (sector: number) => boolean): (Write | Cut)[] {
  if ('length' in step) return isKept(-1) ? [step] : []
  const { at, offset, bytes } = step
  const end = offset + (typeof bytes === 'number' ? bytes : bytes.length)
  const kept: Write[] = []
  const add = (from: number, to: number) => {
    const part = typeof bytes === 'number' ? to - from : bytes.subarray(from - offset, to - offset)
    kept.push({ at, offset: from, bytes: part })
  }
  let since = offset
  for (let from = offset; from < end;) {
    const sector = Math.floor(from / sectorSize)
    const next = Math.min(end, (sector + 1) * sectorSize)
    if (!isKept(sector)) {
      if (since < from) add(since, from)
      since = next
    }
    from = next
  }
  if (since < end) add(since, end)
  return kept
}

function writeFolder(
  folder: Folder,
  to: string,
  namesOf: (folder: Folder) => Map<string, Node>,
  fate: Fate,
): void {
  for (const [name, node] of namesOf(folder)) {
    const path = join(to, name)
    if (node instanceof File) {
      writeFile(path, node.after(fate))
      continue
    }
    mkdirSync(path)
    writeFolder(node, path, namesOf, fate)
  }
}

function writeFile(path: string, content: Buffer): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    ftruncateSync(file, content.length)
    for (let at = 0; at < content.length;) at += writeSync(file, content, at, undefined, at)
  } finally {
    closeSync(file)
  }
  const before = Date.now() / 1000 - old
  utimesSync(path, before, before)
}
