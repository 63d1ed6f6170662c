import { describe, expect, test } from 'vitest'
import { Plan } from '../../../../src/source/ranges/plan.ts'
import type { Span } from '../../../../src/source/ranges/span.ts'

const mebibyte = 1024 * 1024
const part = 4 * mebibyte
const size = 1024 * mebibyte

const ends = (span: Span | null) => span && [span.start, span.end]
const bytes = (length: number) => Buffer.alloc(length)

/** A plan after a second connection has begun, and the spans of both. */
function shared(offset = 0, whole = size) {
  const plan = new Plan(offset, whole)
  const [first, second] = [plan.next(1), plan.next(2)]
  if (!first || !second) throw new Error('nothing to share')
  plan.begun(second)
  return { plan, first, second }
}

describe('a plan', () => {
  test('gives a single connection all there is', () => {
    expect(ends(new Plan(5, size).next(1))).toEqual([5, size])
  })

  test('gives a second one the part behind the next, and nobody else any before it has begun', () => {
    const plan = new Plan(0, size)
    const first = plan.next(1)
    first?.put(bytes(100))
    const second = plan.next(8)
    expect(ends(second)).toEqual([100 + part, 100 + 2 * part])
    expect(ends(first)).toEqual([0, 100 + part])
    expect(first?.loan).not.toBeNull()
    expect(plan.next(8)).toBeNull()
  })

  test('gives the rest back to the first when the second one does not begin', () => {
    const plan = new Plan(0, size)
    const first = plan.next(1)
    const second = plan.next(2)
    expect(second && plan.recall(second)).toBe(true)
    expect(ends(first)).toEqual([0, size])
    expect(first?.loan).toBeNull()
  })

  test('has eight parts fetched ahead of the reader, and more as it goes on', () => {
    const { plan, first } = shared()
    const spans = Array.from({ length: 7 }, () => plan.next(8))
    expect(spans.map((span) => span && span.end - span.start)).toEqual(
      [...Array.from({ length: 6 }, () => part), undefined].map((length) => length ?? null),
    )
    first.put(bytes(part))
    plan.take()
    expect(ends(plan.next(8))).toEqual([8 * part, 9 * part])
  })

  test('makes the parts of a smaller file smaller, so that a break costs a 32nd of it', () => {
    const { second } = shared(0, 256 * mebibyte)
    expect(second.end - second.start).toBe(mebibyte)
    const small = shared(0, 64 * mebibyte + 1).second
    expect(small.end - small.start).toBe(mebibyte / 2)
  })

  test('gives the bytes in order, whoever was faster', () => {
    const { plan, first, second } = shared()
    second.put(Buffer.from('b'))
    expect(plan.take()).toBeNull()
    first.put(bytes(part))
    expect(plan.take()).toHaveLength(part)
    expect(plan.take()?.toString()).toBe('b')
  })

  test('keeps what lies behind the end of a span out of it', () => {
    const { first } = shared()
    expect(first.put(bytes(part + 7))).toHaveLength(7)
    expect(first.isWhole).toBe(true)
  })

  test('has what was given back fetched before anything else', () => {
    const { plan, second } = shared()
    second.put(bytes(10))
    plan.giveBack(second)
    expect(plan.next(8)).toBe(second)
    expect(second.at).toBe(second.start + 10)
  })

  test('gives the only one left all that nobody was asked for', () => {
    const { plan, second } = shared()
    expect(ends(plan.next(1))).toEqual([second.end, size])
  })

  test('shares nothing that is no longer than two parts', () => {
    const plan = new Plan(size - 2 * part, size)
    plan.next(1)
    expect(plan.next(8)).toBeNull()
  })

  test('is done when the reader has all', () => {
    const plan = new Plan(size - 3, size)
    plan.next(1)?.put(bytes(3))
    expect(plan.isDone).toBe(false)
    plan.take()
    expect(plan.isDone).toBe(true)
  })
})
