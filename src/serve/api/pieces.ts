/** Frames that go out together. Many are told the same at the same time: they share its bytes. */
export class Pieces {
  #frames: readonly Buffer[] = []
  #joined = Buffer.alloc(0)

  join(frames: readonly Buffer[]): Buffer {
    const [first] = frames
    if (first && frames.length === 1) return first
    if (!areSame(frames, this.#frames)) {
      this.#frames = frames
      this.#joined = Buffer.concat(frames)
    }
    return this.#joined
  }

  clear(): void {
    this.#frames = []
    this.#joined = Buffer.alloc(0)
  }
}

/** Not only equal: to look at their bytes would cost more than to join them. */
function areSame(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  return some.length === others.length && some.every((frame, at) => frame === others[at])
}
