import { describe, expect, test } from 'vitest'
import { Bandwidth, type Pace } from '../../../src/source/bandwidth.ts'
import { HandTicker } from '../../support/hand-ticker.ts'
import { Random } from '../../support/random.ts'

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

type Let = { readonly at: number; readonly bytes: number }

/** Takes chunk after chunk, as fast as it may. */
class Taker {
  readonly let: Let[] = []
  readonly #pace: Pace
  readonly #ticker: HandTicker
  readonly #chunk: () => number
  /** Milliseconds until the next chunk is there. */
  readonly #gap: number

  constructor(pace: Pace, ticker: HandTicker, chunk: () => number, gap = 0) {
    this.#pace = pace
    this.#ticker = ticker
    this.#chunk = chunk
    this.#gap = gap
    this.#ask(chunk())
  }

  get total(): number {
    return sum(this.let)
  }

  #ask(left: number): void {
    this.#pace.ask(left, (bytes) => {
      expect(bytes).toBeGreaterThan(0)
      expect(bytes).toBeLessThanOrEqual(left)
      this.let.push({ at: this.#ticker.now(), bytes })
      if (left > bytes) this.#ask(left - bytes)
      else if (this.#gap === 0) this.#ask(this.#chunk())
      else this.#ticker.after(this.#gap, () => this.#ask(this.#chunk()))
    })
  }
}

function sum(all: readonly Let[]): number {
  return all.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Most bytes beyond what the rate gives, over every period that begins and ends with a piece. */
function mostBeyond(all: readonly Let[], rate: number): number {
  // The largest sum of a stretch, by Kadane: what comes less what the time before it gave.
  let most = 0
  let here = 0
  let before = 0
  for (const { at, bytes } of all) {
    here = Math.max(0, here - ((at - before) * rate) / 1000) + bytes
    most = Math.max(most, here)
    before = at
  }
  return most
}

const inOrder = (takers: readonly Taker[]) =>
  takers.flatMap((taker) => taker.let).toSorted((one, other) => one.at - other.at)

describe('a bandwidth', () => {
  test.each([1, 2, 3, 4, 5, 6])(
    'is never exceeded by more than a quarter of a second, and is used (seed %i)',
    (seed) => {
      const random = new Random(seed)
      const rate = random.pick([kibibyte, 100 * kibibyte, 999_983, 10 * mebibyte, 1024 * mebibyte])
      // Half of them behind by less than what is saved for, the others by more.
      const late = seed % 2 === 0 ? 200 : 2000
      const ticker = new HandTicker(() => random.below(late))
      const bandwidth = new Bandwidth(rate, ticker)
      const end = rate > mebibyte ? 600 : 10_000
      const takers = Array.from({ length: 1 + random.below(5) }, () => {
        const chunk = () => 1 + random.below(random.pick([100, 20_000, 65_536]))
        return new Taker(bandwidth.share(), ticker, chunk, random.pick([0, 0, 3, 700]))
      })
      takers.push(new Taker(bandwidth.share(), ticker, () => 65_536))
      for (let time = 0; time <= end; time += 1 + random.below(300)) ticker.runTo(time)
      ticker.runTo(end)
      const all = inOrder(takers)
      const burst = rate / 4
      expect(mostBeyond(all, rate)).toBeLessThanOrEqual(burst + 1)
      const piece = 65_536
      if (late < 250) expect(sum(all)).toBeGreaterThan((rate * (end - late)) / 1000 - piece)
    },
  )

  test('is shared evenly by those who take at the same time, whatever their chunks and connections', () => {
    const ticker = new HandTicker()
    const bandwidth = new Bandwidth(mebibyte, ticker)
    const many = bandwidth.share()
    const large = Array.from({ length: 8 }, () => new Taker(many, ticker, () => 65_536))
    const small = new Taker(bandwidth.share(), ticker, () => 1460)
    const other = new Taker(bandwidth.share(), ticker, () => 16_000)
    ticker.runTo(20_000)
    const totals = [large.reduce((sum, { total }) => sum + total, 0), small.total, other.total]
    const third = (20.25 * mebibyte) / 3
    for (const total of totals) expect(Math.abs(total - third)).toBeLessThan(2 * 65_536)
  })

  test('gives a slow one all that it takes, beside any number of fast ones', () => {
    const ticker = new HandTicker()
    const bandwidth = new Bandwidth(10 * mebibyte, ticker)
    const fast = () => new Taker(bandwidth.share(), ticker, () => 65_536)
    const others = Array.from({ length: 8 }, fast)
    // 20 chunks a second, 320 KiB.
    const slow = new Taker(bandwidth.share(), ticker, () => 16_384, 50)
    ticker.runTo(10_000)
    // A chunk waits for the pieces of the others at most.
    const turn = (9 * 65_536 * 1000) / (10 * mebibyte)
    for (const { total } of others) expect(total).toBeGreaterThan(slow.total)
    expect(slow.let.length).toBeGreaterThan(10_000 / (50 + turn))
  })

  test('owes nothing to one that has taken nothing for a while', () => {
    const ticker = new HandTicker()
    const bandwidth = new Bandwidth(mebibyte, ticker)
    const idle = bandwidth.share()
    const busy = new Taker(bandwidth.share(), ticker, () => 10_000)
    ticker.runTo(10_000)
    const before = busy.total
    const late = new Taker(idle, ticker, () => 10_000)
    ticker.runTo(12_000)
    expect(Math.abs(busy.total - before - late.total)).toBeLessThan(2 * 65_536)
  })

  test('is for the others once a question is withdrawn', () => {
    const ticker = new HandTicker()
    const bandwidth = new Bandwidth(10 * kibibyte, ticker)
    const passed: string[] = []
    const share = bandwidth.share()
    const first = share.ask(10, () => passed.push('first'))
    share.ask(10, () => passed.push('second'))
    first()
    ticker.runTo(10)
    expect(passed).toEqual(['second'])
    const third = bandwidth.share().ask(10, () => passed.push('third'))
    third()
    ticker.runTo(10_000)
    expect(passed).toEqual(['second'])
  })
})
