/** The two clocks of a machine, in milliseconds. */
export type Machine = {
  /** The time of day since 1970, which somebody may set. */
  readonly wall: () => number
  /** From any beginning; nobody sets it. */
  readonly steady: () => number
}

const real: Machine = { wall: Date.now, steady: () => performance.now() }

/**
 * The time of day as everything here reads it: it goes on evenly, whatever happens to the machine's clock, and is set only
 * together with the times that are held against it.
 */
export class Clock {
  readonly #machine: Machine
  #ahead: number

  constructor(machine = real) {
    this.#machine = machine
    this.steady = machine.steady
    this.#ahead = machine.wall() - machine.steady()
  }

  /** Milliseconds from any beginning: for what passes in this process alone. */
  readonly steady: () => number

  /** Milliseconds since 1970. */
  readonly now = (): number => Math.round(this.#machine.steady() + this.#ahead)

  /** How far the machine's clock is ahead of this one, in milliseconds. */
  get lag(): number {
    return Math.round(this.#machine.wall() - this.#machine.steady() - this.#ahead)
  }

  set(by: number): void {
    this.#ahead += by
  }
}
