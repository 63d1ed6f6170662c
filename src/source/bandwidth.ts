/** When bytes of a network may be taken. */
export interface Pace {
  /**
   * Asks to take bytes. `pass` is called once, never before this returns, with how many may be taken now: at least one, at
   * most `most`.
   * @returns withdraws the question
   */
  ask(most: number, pass: (bytes: number) => void): () => void
}

export type Ticker = {
  /** Milliseconds, never going back. */
  now(): number
  /** Calls back after so many milliseconds; after none, when what is due has run. */
  after(milliseconds: number, call: () => void): void
}

export const systemTicker: Ticker = {
  now: () => performance.now(),
  after: (milliseconds, call) => {
    if (milliseconds > 0) setTimeout(call, milliseconds)
    else setImmediate(call)
  },
}

/** What was not used is kept for so long, in milliseconds: a timer that comes late costs nothing. */
const savedFor = 250
/** At once goes what the bandwidth gives in 1/16 s, but no more than a socket gives at a time. */
const piecesInBurst = 4
const largestPiece = 64 * 1024

/**
 * Bytes a second for all who have a share (a token bucket). In any time they get at most what the bandwidth gives in it and
 * in a quarter of a second more. Those who ask at the same time get the same, however many connections they ask for and
 * however small the pieces are that they ask for (start-time fair queueing).
 */
export class Bandwidth {
  readonly #perMillisecond: number
  readonly #burst: number
  readonly #piece: number
  readonly #ticker: Ticker
  readonly #asking = new Set<Share>()
  #saved: number
  #filled: number
  #isWaiting = false
  /** What the share that was served last had had until then: nobody who comes now may have had less. */
  #floor = 0

  /** @param bytes a second, at least some hundreds */
  constructor(bytes: number, ticker: Ticker = systemTicker) {
    this.#perMillisecond = bytes / 1000
    this.#burst = Math.floor(this.#perMillisecond * savedFor)
    this.#piece = Math.min(largestPiece, Math.max(1, Math.floor(this.#burst / piecesInBurst)))
    this.#ticker = ticker
    this.#saved = this.#burst
    this.#filled = ticker.now()
  }

  /** A share for all connections of one import. */
  share(): Pace {
    const share: Share = { had: 0, questions: [] }
    return { ask: (most, pass) => this.#ask(share, { most, pass }) }
  }

  #ask(share: Share, question: Question): () => void {
    if (share.questions.length === 0) share.had = Math.max(share.had, this.#floor)
    share.questions.push(question)
    this.#asking.add(share)
    this.#wait(0)
    return () => this.#drop(share, question)
  }

  #drop(share: Share, question: Question): void {
    share.questions = share.questions.filter((other) => other !== question)
    if (share.questions.length === 0) this.#asking.delete(share)
  }

  /** One piece a turn: whoever got it may ask again before the next is given. */
  #turn = (): void => {
    this.#isWaiting = false
    const share = this.#next()
    const question = share?.questions[0]
    if (!share || !question) return
    const bytes = Math.min(question.most, this.#piece)
    this.#fill()
    if (this.#saved < bytes) {
      return this.#wait(Math.ceil((bytes - this.#saved) / this.#perMillisecond))
    }
    this.#give(share, question, bytes)
    this.#wait(0)
  }

  #give(share: Share, question: Question, bytes: number): void {
    this.#saved -= bytes
    this.#floor = share.had
    share.had += bytes
    this.#drop(share, question)
    question.pass(bytes)
  }

  /** The share that has had the least. */
  #next(): Share | null {
    let next: Share | null = null
    for (const share of this.#asking) if (!next || share.had < next.had) next = share
    return next
  }

  #fill(): void {
    const now = this.#ticker.now()
    const fresh = (now - this.#filled) * this.#perMillisecond
    this.#saved = Math.min(this.#burst, this.#saved + fresh)
    this.#filled = now
  }

  #wait(milliseconds: number): void {
    if (this.#isWaiting || this.#asking.size === 0) return
    this.#isWaiting = true
    this.#ticker.after(milliseconds, this.#turn)
  }
}

type Question = { readonly most: number; readonly pass: (bytes: number) => void }
type Share = { had: number; questions: Question[] }
