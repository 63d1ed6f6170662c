import { posix } from 'node:path'
import { shown, unsafe } from './flaws.ts'
import { alone, type Member } from './member.ts'
import { diskFolder, ground, placeOf } from './place.ts'
import { Sights } from './sights.ts'

/** Names in `disk/` that are remembered from layer to layer. */
const mostNames = 10_000

/** What one layer says of `disk/`. */
class Changes {
  disk: string | null = null
  /** Whether `disk` or something in it is there, and whether `disk` is there and no directory. */
  isFolder = false
  isOther = false
  /** What lower layers have of these names, or at all, is not seen. */
  readonly removed = new Set<string>()
  isRemoved = false
  readonly directories = new Set<string>()
}

/**
 * `disk/` as the layers tell of it from the last to the first, members in the order of their tars. A union file system shows
 * of a name what the highest layer says, so the first disk that is met is the disk. Whiteouts hide what lower layers have,
 * wherever they stand in their own layer's tar.
 */
export class DiskFolder {
  /** What the layers above the current one say. */
  readonly #removed = new Set<string>()
  readonly #directories = new Set<string>()
  #isFolder = false
  #isRemoved = false
  #layer = new Changes()
  readonly #sights = new Sights()

  /** What was seen instead of a disk, for a message. */
  get summary(): string {
    return this.#sights.summary
  }

  /**
   * @returns whether the member is the disk
   * @throws Flaw UNSAFE_ARCHIVE when `disk/` holds what could be taken for another disk
   */
  see(member: Member): boolean {
    const place = placeOf(member.name)
    if (place.at === 'file') return this.#file(member, place.name)
    if (place.at === 'outside') this.#sights.outside(place, member.type)
    else if (place.at === 'whiteout') this.#hide(place.hides)
    else if (place.at === 'folder') this.#folder(member)
    else this.#below(member, place.name, place.path)
    return false
  }

  /** The layer's tar has ended; the next one lies below. */
  endLayer(): void {
    const { removed, directories, isFolder, isOther, isRemoved } = this.#layer
    for (const name of removed) this.#removed.add(name)
    for (const name of directories) this.#directories.add(name)
    this.#isFolder ||= isFolder
    this.#isRemoved ||= isRemoved || isOther
    this.#layer = new Changes()
  }

  #file(member: Member, name: string): boolean {
    this.#enter()
    if (this.#isHidden(name)) {
      if (member.type !== 'directory') this.#sights.removed(pathOf(name))
      return false
    }
    if (member.type === 'directory') {
      this.#directory(name)
      return false
    }
    this.#onlyDisk(member, name)
    this.#layer.disk = name
    return true
  }

  #isHidden(name: string): boolean {
    return this.#isRemoved || this.#removed.has(name)
  }

  /** Beside directories nothing but the one disk may be seen in `disk/`. */
  #onlyDisk({ type, linkname }: Member, name: string): void {
    const { disk, directories } = this.#layer
    if (disk === name || directories.has(name)) throw twiceIn(name)
    if (this.#directories.has(name)) throw unsafe(`a directory hides ${pathOf(name)}; ${alone}`)
    if (disk !== null) {
      throw unsafe(`two files could be the disk, ${pathOf(disk)} and ${pathOf(name)}; ${alone}`)
    }
    if (type === 'file') return
    const target = linkname === '' ? '' : ` to ${shown(linkname)}`
    throw unsafe(`${pathOf(name)} is a ${type}${target} and no file of its own; ${alone}`)
  }

  #directory(name: string): void {
    if (this.#layer.disk === name) throw twiceIn(name)
    this.#remember(this.#layer.directories, name)
  }

  #folder({ type, linkname }: Member): void {
    if (type === 'directory') {
      this.#sights.folder()
      return this.#enter()
    }
    if (this.#layer.isFolder) throw twice()
    this.#layer.isOther = true
    this.#sights.other()
    if (type !== 'symbolic link' || this.#isFolder || this.#isRemoved) return
    throw unsafe(`${diskFolder} is a symbolic link to ${shown(linkname)}; ${alone}`)
  }

  #below(member: Member, name: string, path: string): void {
    this.#enter()
    if (member.type !== 'directory') this.#sights.below(path)
    if (this.#isHidden(name)) return
    this.#directory(name)
    if (!leadsOut(member, path)) return
    const target = shown(member.linkname)
    throw unsafe(`${shown(path)} leads out of ${diskFolder}/, to ${target}; ${alone}`)
  }

  #hide(name: string | null): void {
    if (name === null) this.#layer.isRemoved = true
    else this.#remember(this.#layer.removed, name)
  }

  #enter(): void {
    if (this.#layer.isOther) throw twice()
    this.#layer.isFolder = true
  }

  #remember(names: Set<string>, name: string): void {
    const { removed, directories } = this.#layer
    const kept = [this.#removed, this.#directories, removed, directories]
    names.add(name)
    if (kept.reduce((sum, { size }) => sum + size, 0) <= mostNames) return
    throw unsafe(`${diskFolder}/ has more than ${mostNames} names; ${alone}`)
  }
}

function pathOf(name: string): string {
  return `${diskFolder}/${shown(name)}`
}

function twiceIn(name: string) {
  return unsafe(`${pathOf(name)} is there twice in one layer; ${alone}`)
}

function twice() {
  return unsafe(`${diskFolder} is a directory and something else in one layer; ${alone}`)
}

/** Hard links name their target from the root on, symbolic ones from where they are. */
function leadsOut({ type, linkname }: Member, path: string): boolean {
  if (type === 'hard link') return ground(linkname) !== 'disk'
  if (type !== 'symbolic link') return false
  return !posix.resolve('/', posix.dirname(path), linkname).startsWith(`/${diskFolder}/`)
}
