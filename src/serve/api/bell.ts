/** Wakes the one who sleeps; rung while nobody does, it lets the next sleep be none. */
export class Bell {
  #rung = false
  #wake: (() => void) | null = null

  readonly ring = (): void => {
    this.#rung = true
    this.#wake?.()
  }

  async sleep(): Promise<void> {
    if (!this.#rung) await new Promise<void>((wake) => (this.#wake = wake))
    this.#rung = false
    this.#wake = null
  }
}
