import type { Happening } from '../../catalog/events.ts'
import { frame } from './sse.ts'
import type { Telling } from './telling.ts'

/** A look at an image: null when it is gone. Later looks have higher stamps. */
export type Look = { readonly stamp: number; readonly telling: Promise<Telling | null> }

/** One event for everybody. An image is looked at once, when the first of them is told. */
export class Entry {
  readonly happening: Happening
  readonly #look: (happening: Happening) => Look
  #told: Look | null = null

  constructor(happening: Happening, look: (happening: Happening) => Look) {
    this.happening = happening
    this.#look = look
  }

  /** Of the look that was told last, 0 without any. */
  get stamp(): number {
    return this.#told?.stamp ?? 0
  }

  /**
   * Null when there is nothing to tell any more: the deletion comes later in the order.
   * @param after the stamp of looks that were told already: nothing older may come behind them
   */
  async frame(mayWrite: boolean, after: number): Promise<Buffer | null> {
    const { kind, seq, name, uid } = this.happening
    if (kind === 'deleted') return frame(kind, JSON.stringify({ name, uid }), String(seq))
    return (await this.#telling(after))?.frame(mayWrite) ?? null
  }

  async #telling(after: number): Promise<Telling | null> {
    if (!this.#told || this.#told.stamp <= after) this.#told = this.#look(this.happening)
    try {
      return await this.#told.telling
    } catch (error) {
      this.#told = null
      throw error
    }
  }
}

/** Each image at its last place alone: what is told is what it is now. */
export function lastOfEach(happenings: readonly Happening[]): readonly Happening[] {
  const last = new Map(happenings.map((happening) => [keyOf(happening), happening.seq]))
  return happenings.filter((happening) => last.get(keyOf(happening)) === happening.seq)
}

function keyOf({ kind, uid }: Happening): string {
  return `${kind} ${uid}`
}
