import type { OwnedImage } from '../../client/images.ts'
import type { ClusterVirtualImage } from '../resource.ts'
import type { Written } from '../apply-status.ts'
import type { Said } from './status.ts'

/** What is remembered of a resource between two looks. Nothing is lost with it but a few requests. Times in milliseconds. */
export type Memory = Written & {
  readonly uid: string
  /** The service has answered so, and does not tell of the image yet. */
  asked: { readonly image: OwnedImage; readonly at: number } | null
  /** The service refuses the data source; asking again would bring the same. */
  refused: Said | null
  /** The uid of the resource that the image was made of. */
  sourceUid: string | null
  /** Since when a status that may be overtaken at once is held back. */
  heldSince: number | null
  wroteAt: number | null
  /** The finalizer was taken away; what is shown of the resource since is of before. */
  releasedAt: number | null
  /** Names of events that were told, as long as the status that they lead to is not written. */
  readonly told: Set<string>
}

export class Kept {
  readonly #memories = new Map<string, Memory>()

  /** What is remembered of an earlier resource of the name is forgotten. */
  of({ metadata: { name, uid } }: ClusterVirtualImage): Memory {
    const known = this.#memories.get(name)
    if (known?.uid === uid) return known
    const memory: Memory = {
      uid,
      asked: null,
      refused: null,
      sourceUid: null,
      heldSince: null,
      wroteAt: null,
      releasedAt: null,
      told: new Set(),
      undeclared: [],
      written: null,
    }
    this.#memories.set(name, memory)
    return memory
  }

  forgetRefusals(): void {
    for (const memory of this.#memories.values()) memory.refused = null
  }

  forget(name: string): void {
    this.#memories.delete(name)
  }

  get size(): number {
    return this.#memories.size
  }
}
