/** Milliseconds over which the speed is measured. */
const windowLength = 250
/** So many windows a new connection has to make a difference: a far one takes some round trips to its full speed. */
const patience = 6
/** Milliseconds until a connection is tried again that made no difference, and one that was refused. */
const restWithoutGain = 10_000
const restRefused = 30_000
/** Of the time, how much the reader has to wait for the network; else more connections do not help. */
const leastWait = 0.5
/** A reader that waits less has more connections than it needs; after so many windows one is taken back. */
const hardly = 0.05
const mostIdle = 4
/** A new connection has to bring so much of what each of the others brings. */
const leastGain = 0.5
/** Whoever only looks at the start of a file, or refuses it for its first bytes, has done so by then. */
const lonely = 8 * 1024 * 1024

/** `before`: bytes a millisecond before the last connection was added; `left`: windows it has to beat them. */
type Trial = { readonly before: number; left: number; joined: boolean }

/** How many connections there should be. */
export interface Pacing {
  readonly wanted: number
  /** The reader waits for bytes, or has enough. */
  waits(isWaiting: boolean): void
  add(bytes: number): void
  /** A connection that was added gives its first bytes. */
  joined(): void
  /**
   * A connection was refused.
   * @param wait milliseconds that the source asks to wait, null when it does not
   */
  refused(wait: number | null): void
  /** One is all that there can be. */
  never(): void
}

/** One connection more as long as that makes it faster. It looks at the clock when bytes come, so it needs no timer. */
export class Pace implements Pacing {
  readonly #now: () => number
  #most: number
  #wanted = 1
  #total = 0
  #bytes = 0
  #since: number
  #waitingSince: number | null = null
  #waited = 0
  #restUntil = 0
  /** Windows in a row in which the reader hardly waited. */
  #idle = 0
  #trial: Trial | null = null

  /** @param now milliseconds of a clock that only goes forward */
  constructor(most: number, now: () => number) {
    this.#most = most
    this.#now = now
    this.#since = now()
  }

  get wanted(): number {
    return this.#wanted
  }

  waits(isWaiting: boolean): void {
    if (isWaiting === (this.#waitingSince !== null)) return
    this.#settleWait()
    this.#waitingSince = isWaiting ? this.#now() : null
  }

  add(bytes: number): void {
    this.#total += bytes
    this.#bytes += bytes
    const elapsed = this.#now() - this.#since
    if (elapsed < windowLength) return
    this.#settleWait()
    const [speed, share] = [this.#bytes / elapsed, this.#waited / elapsed]
    this.#begin()
    if (this.#total >= lonely) this.#judge(speed, share)
  }

  joined(): void {
    if (this.#trial) this.#trial.joined = true
    this.#begin()
  }

  refused(wait: number | null): void {
    this.#fewer(Math.max(wait ?? 0, restRefused))
  }

  never(): void {
    this.#most = 1
    this.#wanted = 1
    this.#trial = null
  }

  #begin(): void {
    this.#settleWait()
    this.#bytes = 0
    this.#waited = 0
    this.#since = this.#now()
  }

  #settleWait(): void {
    if (this.#waitingSince === null) return
    const now = this.#now()
    this.#waited += now - this.#waitingSince
    this.#waitingSince = now
  }

  #judge(speed: number, share: number): void {
    this.#idle = share < hardly ? this.#idle + 1 : 0
    if (this.#idle >= mostIdle && this.#wanted > 1) return this.#fewer(0)
    if (this.#trial) this.#compare(this.#trial, speed, share)
    if (this.#trial || share < leastWait || this.#now() < this.#restUntil) return
    this.#more(speed)
  }

  /** That it is no faster says nothing while the reader is what is slow. */
  #compare(trial: Trial, speed: number, share: number): void {
    if (!trial.joined) return
    if (speed >= trial.before * (1 + leastGain / (this.#wanted - 1))) this.#trial = null
    else if (share < leastWait) return
    else if (trial.left > 1) trial.left -= 1
    else this.#fewer(restWithoutGain)
  }

  #more(speed: number): void {
    if (this.#wanted >= this.#most) return
    this.#wanted += 1
    this.#trial = { before: speed, left: patience, joined: false }
  }

  #fewer(wait: number): void {
    this.#trial = null
    this.#idle = 0
    this.#wanted = Math.max(1, this.#wanted - 1)
    this.#restUntil = this.#now() + wait
  }
}
