import type { Change } from '../../client/changes.ts'
import { Columns } from '../columns.ts'
import { cut, plain } from '../plain.ts'
import { troubleOf } from './advice.ts'
import { ageOf, heads, rowOf } from './row.ts'

/** What is shown of an image; its age is reckoned anew each time. */
type Seen = {
  readonly uid: string
  readonly isReady: boolean
  readonly trouble: string
  readonly rowAt: (now: number) => readonly string[]
}

/** Lines and characters of a terminal. */
export type Size = { readonly rows: number; readonly columns: number }

/** Images as they are, in a table that fits a terminal: those first that are not Ready. */
export class Watched {
  readonly #seen = new Map<string, Seen>()
  /** What the whole state has named so far; null when it is not being told. */
  #told: Set<string> | null = null
  #lost: string | null = null

  take(change: Change): void {
    this.#lost = change.kind === 'lost' ? change.why.message : null
    if (change.kind === 'reset') this.#told = new Set()
    else if (change.kind === 'settled') this.#settle()
    else if (change.kind === 'deleted') this.#forget(change.name, change.uid)
    else if (change.kind === 'image') this.#keep(change)
  }

  /** @param now milliseconds since 1970 */
  lines(now: number, { rows, columns }: Size): readonly string[] {
    const names = this.#inOrder()
    const notes = this.#notes(names)
    // The cursor stands below the last line.
    const room = Math.max(1, rows - 2 - notes.length)
    const shown = names.length > room ? names.slice(0, room - 1) : names
    const more = names.length - shown.length
    const table = this.#table(shown, now, columns)
    const below = more > 0 ? [`and ${more} more`, ...notes] : notes
    return [...table, ...below.map((line) => cut(plain(line), columns))]
  }

  #table(names: readonly string[], now: number, width: number): readonly string[] {
    const columns = new Columns(heads, width)
    const rows = names.map((name) => this.#seen.get(name)?.rowAt(now) ?? [])
    columns.measure(rows)
    return `${columns.head()}${columns.lines(rows)}`.trimEnd().split('\n')
  }

  /** What is the matter with the only one, and with the connection. */
  #notes(names: readonly string[]): readonly string[] {
    const [only = ''] = names
    const trouble = names.length === 1 ? (this.#seen.get(only)?.trouble ?? '') : ''
    return [trouble, this.#lost === null ? '' : `${this.#lost}; trying again`].filter(Boolean)
  }

  #inOrder(): readonly string[] {
    const rank = (name: string) => (this.#seen.get(name)?.isReady === true ? 1 : 0)
    return [...this.#seen.keys()].sort(
      (one, other) => rank(one) - rank(other) || (one < other ? -1 : 1),
    )
  }

  #keep({ image }: Extract<Change, { kind: 'image' }>): void {
    const { uid, name, createdAt } = image
    // Of an image that may have a CA bundle only what is shown is kept.
    const cells = rowOf(image, Date.parse(createdAt))
    this.#told?.add(name)
    this.#seen.set(name, {
      uid,
      isReady: image.status.phase === 'Ready',
      trouble: troubleOf(image),
      rowAt: (now) => [...cells.slice(0, -1), ageOf(createdAt, now)],
    })
  }

  #forget(name: string, uid: string): void {
    if (this.#seen.get(name)?.uid === uid) this.#seen.delete(name)
  }

  /** What was there before and was not told again is gone. */
  #settle(): void {
    for (const name of this.#seen.keys())
      if (this.#told?.has(name) === false) this.#seen.delete(name)
    this.#told = null
  }
}
