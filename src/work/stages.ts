/**
 * What an image's bytes wait for on their way in. They pass the stages at the same time, so each moment belongs to one of
 * them, the first in this order of those that are at work: `commit` while blobs, record and catalog make the image Ready;
 * `inspect` while the bytes, or the tables they point to, are judged; `fetch` while the source is asked or has not sent the
 * next bytes; `store` for the rest: hashing, unwrapping and writing what is here.
 */
export const stages = ['commit', 'inspect', 'fetch', 'store'] as const
export type Stage = (typeof stages)[number]

/** Being in a stage. Leaving twice, or entering twice, is doing it once. */
export interface Stay extends Disposable {
  enter(): void
  leave(): void
}

/** From the first time a stage was entered to the last time it was left, and the time that belongs to it. */
export type Visit = {
  /** Milliseconds since 1970, with fractions. */
  readonly from: number
  readonly to: number
  readonly seconds: number
}

type Count = { inside: number; from: number; to: number; milliseconds: number }

/** Which stage each moment of a transfer belongs to. */
export class StageClock {
  readonly #counts = new Map<Stage, Count>()
  #since = performance.now()

  /** The stage is entered. */
  enter(stage: Stage): Stay {
    let isInside = false
    const stay = {
      enter: () => {
        if (!isInside) this.#step(stage, 1)
        isInside = true
      },
      leave: () => {
        if (isInside) this.#step(stage, -1)
        isInside = false
      },
      [Symbol.dispose]: () => stay.leave(),
    }
    stay.enter()
    return stay
  }

  /** Stages that were never entered are not in it. */
  visits(): { readonly [stage in Stage]?: Visit } {
    this.#pass()
    const told = [...this.#counts].map(([stage, count]) => [stage, visit(count)] as const)
    return Object.fromEntries(told)
  }

  #step(stage: Stage, by: 1 | -1): void {
    const now = this.#pass()
    const count = this.#counts.get(stage) ?? { inside: 0, from: now, to: now, milliseconds: 0 }
    this.#counts.set(stage, count)
    count.inside += by
    count.to = now
  }

  /** The time since the last step goes to the stage that it belongs to. */
  #pass(): number {
    const now = performance.now()
    for (const stage of stages) {
      const count = this.#counts.get(stage)
      if (!count || count.inside === 0) continue
      count.milliseconds += now - this.#since
      count.to = now
      break
    }
    this.#since = now
    return now
  }
}

function visit({ from, to, milliseconds }: Count): Visit {
  const { timeOrigin } = performance
  return { from: timeOrigin + from, to: timeOrigin + to, seconds: milliseconds / 1000 }
}
