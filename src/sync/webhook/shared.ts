/**
 * Work that all share who ask for it before it begins: nobody is given what began before they asked, and of many who ask at
 * once there is one piece of work under way, and one that waits for its end.
 */
export class Shared<Value> {
  readonly #work: () => Promise<Value>
  #running: Promise<unknown> = Promise.resolve()
  #next: Promise<Value> | null = null

  constructor(work: () => Promise<Value>) {
    this.#work = work
  }

  /** @throws what the work fails with */
  begin(): Promise<Value> {
    this.#next ??= this.#after(this.#running)
    return this.#next
  }

  async #after(before: Promise<unknown>): Promise<Value> {
    await Promise.allSettled([before])
    this.#next = null
    const work = this.#work()
    this.#running = work
    return await work
  }
}
