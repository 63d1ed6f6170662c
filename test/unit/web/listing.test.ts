import { describe, expect, test } from 'vitest'
import type { ImageBody } from '../../../src/image/status.ts'
import {
  columns,
  directionOf,
  everything,
  listed,
  Listing,
  orderAfter,
  queryOf,
  wishOf,
} from '../../../src/serve/web/browser/listing.js'
import { imageOf, statusOf } from './images.ts'

const sized = (unpackedBytes: string, storedBytes: string) => ({
  size: { stored: '', storedBytes, unpacked: '', unpackedBytes },
})

const images = [
  imageOf('beta', {
    createdAt: '2026-03-01T00:00:00.000Z',
    dataSource: { type: 'HTTP', http: { url: 'https://example.com/Ubuntu.img' } },
    status: statusOf({ format: 'qcow2', cdrom: false, ...sized('9', '100') }),
  }),
  imageOf('alpha', {
    createdAt: '2026-01-01T00:00:00.000Z',
    status: statusOf({ format: 'iso', cdrom: true, ...sized('100', '20') }),
  }),
  imageOf('gamma', {
    createdAt: '2026-02-01T00:00:00.000Z',
    status: statusOf({ phase: 'Failed' }),
  }),
]

const names = (all: readonly ImageBody[]) => all.map(({ name }) => name).join(' ')
const shown = (wish: Partial<typeof everything>) =>
  names(listed(images, { ...everything, ...wish }))

describe('the list', () => {
  test.each([
    ['name', 'alpha beta gamma'],
    ['-name', 'gamma beta alpha'],
    ['phase', 'gamma alpha beta'],
    ['-phase', 'alpha beta gamma'],
    ['format', 'alpha beta gamma'],
    ['-size', 'alpha beta gamma'],
    ['-stored', 'beta alpha gamma'],
    ['created', 'alpha gamma beta'],
    ['-created', 'beta gamma alpha'],
  ] as const)('is sorted by %s', (order, expected) => {
    expect(shown({ order })).toBe(expected)
  })

  test.each([
    [{ search: 'UBUNTU qcow' }, 'beta'],
    [{ search: 'ubuntu iso' }, ''],
    [{ search: '  a ' }, 'alpha beta gamma'],
    [{ phase: 'Failed' }, 'gamma'],
    [{ kind: 'iso' }, 'alpha'],
    [{ kind: 'disk' }, 'beta'],
  ])('shows what %j asks for', (wish, expected) => {
    expect(shown(wish)).toBe(expected)
  })

  test('is made anew only when images have changed, or something else is asked for', () => {
    let asked = 0
    const known = {
      version: 1,
      all: () => {
        asked += 1
        return images
      },
    }
    const listing = new Listing()
    const first = listing.of(known, everything)
    expect(listing.of(known, { ...everything })).toBe(first)
    expect(names(listing.of(known, { ...everything, search: 'alpha' }))).toBe('alpha')
    expect(asked).toBe(1)
    expect(names(listing.of(known, { ...everything, order: '-name' }))).toBe('gamma beta alpha')
    expect(asked).toBe(2)
    known.version = 2
    expect(names(listing.of(known, { ...everything, order: '-name' }))).toBe('gamma beta alpha')
    expect(asked).toBe(3)
  })
})

describe('what is asked for', () => {
  test('stands in the address, where it differs from everything', () => {
    expect(queryOf(everything)).toBe('')
    const wish = { search: 'a & b', phase: 'Failed', kind: 'iso', order: '-size' } as const
    expect(wishOf(queryOf(wish))).toEqual(wish)
  })

  test('is everything where an address asks for what there is not', () => {
    expect(wishOf('phase=Nonsense&kind=x&order=constructor')).toEqual(everything)
  })

  test('is turned round by a second click on the head of a column', () => {
    expect(orderAfter('size', 'name')).toBe('-size')
    expect(orderAfter('size', '-size')).toBe('size')
    expect(orderAfter('size', 'size')).toBe('-size')
    expect(orderAfter('name', '-size')).toBe('name')
    for (const { key, first } of columns) {
      expect(directionOf(key, first)).not.toBe(null)
      expect(directionOf(key, orderAfter(key, first))).not.toBe(directionOf(key, first))
    }
    expect(directionOf('name', 'size')).toBe(null)
  })
})
