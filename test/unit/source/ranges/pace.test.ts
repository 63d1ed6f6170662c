import { describe, expect, test } from 'vitest'
import { Pace } from '../../../../src/source/ranges/pace.ts'

const mebibyte = 1024 * 1024
const chunk = 64 * 1024
const second = 1000

type Network = {
  /** MiB a second that one connection gives, and all of them together. */
  readonly each: number
  readonly all?: number
  /** The part of the time that the reader waits for bytes. */
  readonly waits?: number
  /** Milliseconds until a connection that was asked for gives its first bytes. */
  readonly far?: number
}

/** A source and a clock of its own: what a pace wants is there after a while, and time passes by the bytes that come. */
class World {
  now = 0
  readonly pace: Pace
  network: Network
  #lanes = 1
  #joins: number | null = null

  constructor(network: Network, most = 8) {
    this.network = network
    this.pace = new Pace(most, () => this.now)
  }

  run(milliseconds: number): number {
    for (const end = this.now + milliseconds; this.now < end;) this.#step()
    return this.pace.wanted
  }

  #step(): void {
    const { each, all = Infinity, waits = 1, far = 0 } = this.network
    const speed = Math.min(each * this.#lanes, all) * mebibyte
    const time = (chunk / speed) * second
    this.pace.waits(true)
    this.now += time * waits
    this.pace.waits(false)
    this.now += time * (1 - waits)
    this.pace.add(chunk)
    if (this.pace.wanted < this.#lanes) this.#lanes = this.pace.wanted
    else if (this.pace.wanted > this.#lanes) this.#joins ??= this.now + far
    if (this.#joins === null || this.now < this.#joins) return
    this.#lanes += 1
    this.#joins = null
    this.pace.joined()
  }
}

describe('a pace', () => {
  test('begins with one connection', () => {
    const { pace } = new World({ each: 20 })
    expect(pace.wanted).toBe(1)
  })

  test('stays with it for the first 8 MiB', () => {
    const world = new World({ each: 1 })
    expect(world.run(7.9 * second)).toBe(1)
    expect(world.run(0.2 * second)).toBe(2)
  })

  test('adds one after the other while it grows, to the most there may be', () => {
    const world = new World({ each: 20 })
    const seen = Array.from({ length: 60 }, () => world.run(50))
    expect([...new Set(seen)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(world.run(60 * second)).toBe(8)
  })

  test('is patient with a far source', () => {
    const world = new World({ each: 20, far: 1500 })
    expect(world.run(20 * second)).toBe(8)
  })

  test('takes back the one that made no difference, and tries again ten seconds later', () => {
    const world = new World({ each: 20, all: 60 })
    world.run(5 * second)
    expect(world.run(4 * second)).toBe(3)
    const seen = Array.from({ length: 300 }, () => world.run(100))
    expect(new Set(seen)).toEqual(new Set([3, 4]))
    expect(seen.filter((wanted) => wanted === 4).length).toBeLessThan(seen.length / 5)
  })

  test('adds none when the reader is the slower one', () => {
    expect(new World({ each: 20, waits: 0.4 }).run(60 * second)).toBe(1)
    expect(new World({ each: 20, waits: 0.6 }).run(60 * second)).toBe(8)
  })

  test('takes one after the other back when the reader has become the slower one', () => {
    const world = new World({ each: 20 })
    world.run(5 * second)
    world.network = { each: 20, waits: 0 }
    expect(world.run(1.1 * second)).toBe(7)
    expect(world.run(20 * second)).toBe(1)
    world.network = { each: 20 }
    expect(world.run(5 * second)).toBe(8)
  })

  test('does not judge a connection while the reader is the slower one', () => {
    const world = new World({ each: 20 })
    world.run(1.1 * second)
    const before = world.pace.wanted
    world.network = { each: 20, all: 20, waits: 0.3 }
    expect(world.run(60 * second)).toBe(before)
  })

  test('keeps those that the reader waits for now and then', () => {
    const world = new World({ each: 20 })
    world.run(5 * second)
    world.network = { each: 20, waits: 0.1 }
    expect(world.run(60 * second)).toBe(8)
  })

  test('takes one back that is refused, and lets the source rest', () => {
    const world = new World({ each: 20 })
    world.run(5 * second)
    world.pace.refused(null)
    expect(world.run(29 * second)).toBe(7)
    expect(world.run(5 * second)).toBe(8)
  })

  test('rests as long as it is asked to', () => {
    const world = new World({ each: 20 })
    world.run(5 * second)
    world.pace.refused(120 * second)
    expect(world.run(119 * second)).toBe(7)
    expect(world.run(5 * second)).toBe(8)
  })

  test('never takes the last one back', () => {
    const { pace } = new World({ each: 20 })
    pace.refused(null)
    expect(pace.wanted).toBe(1)
  })

  test('stays with one for good when there can be no others', () => {
    const world = new World({ each: 20 })
    world.run(5 * second)
    world.pace.never()
    expect(world.run(100 * second)).toBe(1)
  })
})
