import { shown } from './flaws.ts'
import type { Member } from './member.ts'
import { diskFolder } from './place.ts'

/** Names that are remembered, and how many of them a message tells. */
const mostKept = 1000
const mostTold = 10

/** What an image holds instead of a disk: enough to see what its maker had in mind. */
export class Sights {
  /** Right under the root. */
  readonly #tops = new Set<string>()
  /** Almost where the disk has to be. */
  readonly #near = new Set<string>()
  readonly #removed = new Set<string>()
  #hasFolder = false
  #hasOther = false

  outside({ top, isTop }: { readonly top: string; readonly isTop: boolean }, type: Member['type']) {
    if (top === '') return
    const name = isTop && type !== 'directory' ? shown(top) : `${shown(top)}/`
    keep(top.toLowerCase().startsWith(diskFolder) ? this.#near : this.#tops, name)
  }

  below(path: string): void {
    keep(this.#near, shown(path))
  }

  removed(path: string): void {
    keep(this.#removed, path)
  }

  folder(): void {
    this.#hasFolder = true
  }

  other(): void {
    this.#hasOther = true
  }

  get summary(): string {
    const names = [...[...this.#near].sort(), ...[...this.#tops].sort()]
    const told = names.slice(0, mostTold).join(', ')
    const holds = names.length > mostTold ? `${told} …` : told || 'nothing'
    return `no file under /${diskFolder}${this.#reason()}; the image holds ${holds}`
  }

  #reason(): string {
    const [removed] = this.#removed
    if (removed !== undefined) return `: ${removed} is removed by a layer above`
    if (this.#hasOther) return `: ${diskFolder} is no directory`
    const isEmpty =
      this.#hasFolder && ![...this.#near].some((name) => name.startsWith(`${diskFolder}/`))
    return isEmpty ? `: ${diskFolder}/ is empty` : ''
  }
}

function keep(names: Set<string>, name: string): void {
  if (names.size < mostKept) names.add(name)
}
