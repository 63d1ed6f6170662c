import type { Catalog } from '../../catalog/catalog.ts'
import type { Progress } from '../../work/progress.ts'
import type { Presenter } from './present.ts'
import { Telling } from './telling.ts'

export type MovesOptions = {
  readonly catalog: Catalog
  readonly presenter: Presenter
  readonly progress: Progress
}

type Move = { readonly stamp: number; readonly telling: Telling }

/** How far transfers are, for all who watch: of each image what was seen last, unless an event has overtaken it. */
export class Moves {
  readonly #options: MovesOptions
  /** By uid, in the order of their stamps. */
  readonly #seen = new Map<string, Move>()
  readonly #looking = new Set<string>()
  /** What was told of these may hold no more, though their transfers do not run: to be looked at once. */
  readonly #doubtful = new Set<string>()
  #hasLooked = false
  #stamp = 0

  constructor(options: MovesOptions) {
    this.#options = options
  }

  /** The stamp of the newest that was seen. */
  get newest(): number {
    return this.#stamp
  }

  /** Those that were seen after a stamp, oldest first. */
  *since(stamp: number): Generator<Move> {
    if (stamp === this.#stamp) return
    for (const move of this.#seen.values()) if (move.stamp > stamp) yield move
  }

  /** Its transfer has ended, or it was told at a time of its own: the next look tells how it is to everybody. */
  doubt(uid: string): void {
    this.#doubtful.add(uid)
  }

  /** The image is told anew: what was seen before must not come behind that. */
  overtake(uid: string): void {
    this.#looking.delete(uid)
    this.#seen.delete(uid)
  }

  /** Nobody watches any more. */
  clear(): void {
    for (const uid of [...this.#looking, ...this.#seen.keys()]) this.overtake(uid)
    this.#doubtful.clear()
    this.#hasLooked = false
  }

  /** Looks at all that move, each once for everybody. The first look is for those who have seen an earlier time. */
  async look(): Promise<void> {
    const { catalog, progress } = this.#options
    const first = this.#hasLooked ? [] : await catalog.read.images.inPhase('Provisioning')
    this.#hasLooked = true
    for (const { uid } of first) this.doubt(uid)
    for (const uid of new Set([...progress.running, ...this.#doubtful])) {
      this.#doubtful.delete(uid)
      await this.#lookAt(uid)
    }
  }

  async #lookAt(uid: string): Promise<void> {
    this.#looking.add(uid)
    const telling = await this.#show(uid)
    if (!this.#looking.delete(uid) || !telling) return
    const before = this.#seen.get(uid)
    if (before?.telling.equals(telling)) return
    this.#seen.delete(uid)
    this.#seen.set(uid, { stamp: (this.#stamp += 1), telling })
  }

  /** In every other phase nothing moves, and the event of the phase says all. */
  async #show(uid: string): Promise<Telling | null> {
    const { catalog, presenter } = this.#options
    const image = await catalog.read.images.byUid(uid)
    if (image?.phase !== 'Provisioning') return null
    return new Telling(await presenter.show(image), null)
  }
}
