import { expect, test } from 'vitest'
import { digestOf } from '../../../src/image/digest.ts'
import { Freed } from '../../../src/work/freed.ts'
import { TestClock } from '../../support/catalog.ts'

const digests = Array.from({ length: 10_001 }, (_, index) => digestOf(Buffer.from(String(index))))
const [first, second] = digests

test('a blob that went with its manifest is known once, in its repository alone, for ten minutes', () => {
  const clock = new TestClock()
  const freed = new Freed(clock.now)
  if (!first || !second) throw new Error('there are no digests')
  freed.add('a/b', [first, second])
  expect(freed.take('a', first)).toBe(false)
  expect(freed.take('a/b', first)).toBe(true)
  expect(freed.take('a/b', first)).toBe(false)
  clock.advance(600_000)
  expect(freed.take('a/b', second)).toBe(false)
})

test('no more than ten thousand are remembered, the newest', () => {
  const freed = new Freed(new TestClock().now)
  freed.add('a', digests)
  const known = digests.filter((digest) => freed.take('a', digest))
  expect(known).toEqual(digests.slice(1))
})
