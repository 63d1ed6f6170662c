import { Stopped } from './active.ts'

/** At the end of the service a client that has sent nothing for so long is not waited for, in milliseconds. */
const silence = 2000
const lookEvery = 250

type One = {
  heardAt: number
  readonly controller: AbortController
}

/** Bodies that are coming in at this moment. */
export class Receiving implements Disposable {
  readonly #all = new Set<One>()
  #looking: NodeJS.Timeout | null = null

  /** @param receive is given a signal that ends early once the service is about to end, and tells whenever bytes come */
  async run(
    signal: AbortSignal,
    receive: (signal: AbortSignal, heard: () => void) => Promise<void>,
  ): Promise<void> {
    const one: One = { heardAt: performance.now(), controller: new AbortController() }
    this.#all.add(one)
    try {
      await receive(AbortSignal.any([signal, one.controller.signal]), () => {
        one.heardAt = performance.now()
      })
    } finally {
      this.#all.delete(one)
    }
  }

  endSilent(): void {
    this.#looking ??= setInterval(() => this.#look(), lookEvery).unref()
  }

  [Symbol.dispose](): void {
    if (this.#looking) clearInterval(this.#looking)
  }

  #look(): void {
    const latest = performance.now() - silence
    for (const { heardAt, controller } of this.#all) {
      if (heardAt < latest) controller.abort(new Stopped('shutdown'))
    }
  }
}
