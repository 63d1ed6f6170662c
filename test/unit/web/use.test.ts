import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { drawn, imageOf, laidOut, piecesOf, roomIn } from '../../../src/serve/web/browser/use.js'

const share = (bytes: number, holders: number, ...repositories: string[]) => ({
  bytes: String(bytes),
  blobs: 1,
  repositories,
  holders,
})
const nothing = { bytes: '0', blobs: 0 }

describe('what takes how much', () => {
  test('is told by who needs it, the largest first', () => {
    const items = [
      share(50, 1, 'cvi/one'),
      share(70, 2, 'cvi/one', 'cvi/other'),
      share(60, 1, 'team/app'),
      share(40, 9, 'a/b', 'a/c'),
      share(30, 0),
      share(20, 1),
    ]
    const pieces = piecesOf({ items, others: { bytes: '5', blobs: 7 } }, 10)
    expect(pieces.map(({ kind, title, bytes }) => [kind, title, bytes])).toEqual([
      ['shared', 'one, other', 70],
      ['pushed', 'team/app', 60],
      ['image', 'one', 50],
      ['shared', 'a/b, a/c and 7 more', 40],
      ['unneeded', 'In no image or repository', 30],
      ['image', 'What you may not see', 20],
      ['arriving', 'On their way in', 10],
      ['rest', 'Many small ones', 5],
    ])
  })

  test('is drawn with those together that nobody could tell apart', () => {
    const small = Array.from({ length: 1000 }, (_, index) => share(1, 1, `cvi/small-${index}`))
    const pieces = piecesOf({ items: [share(1000, 1, 'cvi/large'), ...small], others: nothing }, 0)
    const found = drawn(pieces)
    expect(found.map(({ title, bytes }) => [title, bytes])).toEqual([
      ['large', 1000],
      ['1000 smaller parts', 1000],
    ])
  })

  test('is of an image where the repository is one', () => {
    expect(imageOf('cvi/ubuntu')).toBe('ubuntu')
    expect(imageOf('cvi/team/ubuntu')).toBeNull()
    expect(imageOf('team/cvi/ubuntu')).toBeNull()
  })
})

describe('what is free', () => {
  const bytes = { blobs: '30', logical: '30', staged: '10' }
  test.each([
    ['the disk tells it', { free: '100' }, 100],
    ['less is allowed than there is', { free: '100', limit: '60' }, 20],
    ['there is less than is allowed', { free: '10', limit: '60' }, 10],
    ['more is there than is allowed', { free: '100', limit: '35' }, 0],
    ['only the limit is known', { limit: '60' }, 20],
    ['nobody knows', {}, null],
  ])('where %s', (_, more, room) => {
    expect(roomIn({ ...bytes, ...more })).toBe(room)
  })
})

describe('the picture', () => {
  const whole = { x: 0, y: 0, width: 100, height: 100 }
  const many = fc.array(
    fc.integer({ min: 1, max: 10 ** 12 }).map((bytes) => ({ bytes })),
    {
      minLength: 1,
      maxLength: 200,
    },
  )

  test('gives each an area as large as its bytes, inside the picture', () => {
    fc.assert(
      fc.property(many, fc.double({ min: 0.2, max: 5, noNaN: true }), (items, aspect) => {
        const places = laidOut(items, whole, aspect)
        const sum = items.reduce((sum, { bytes }) => sum + bytes, 0)
        expect(places.map(({ item }) => item)).toEqual(items)
        for (const { item, x, y, width, height } of places) {
          expect((width * height) / 10_000).toBeCloseTo(item.bytes / sum, 6)
          expect(Math.min(x, y)).toBeGreaterThanOrEqual(-1e-6)
          expect(Math.max(x + width, y + height)).toBeLessThanOrEqual(100 + 1e-6)
        }
      }),
    )
  })

  test('covers nothing twice', () => {
    fc.assert(
      fc.property(many, (items) => {
        const places = laidOut(items.slice(0, 20), whole, 2)
        for (const [at, one] of places.entries()) {
          for (const other of places.slice(at + 1)) {
            const across =
              Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x)
            const down =
              Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y)
            expect(Math.min(across, down)).toBeLessThanOrEqual(1e-6)
          }
        }
      }),
    )
  })
})
