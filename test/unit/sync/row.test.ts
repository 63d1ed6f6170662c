import { array, assert, constant, constantFrom, oneof, property, record } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Row } from '../../../src/sync/row.ts'

type Waiting = { readonly key: string; readonly born: number }

const births: { readonly [key: string]: number } = { a: 3, b: 1, c: 2, d: 2, e: 5, f: 0 }
const bornAt = (key: string) => births[key] ?? 0

/** The one that came last of those that are not older than any other. */
function youngest(waiting: readonly Waiting[]): string | null {
  const latest = Math.max(...waiting.map(({ born }) => born))
  return waiting.findLast(({ born }) => born === latest)?.key ?? null
}

describe('a row', () => {
  test('gives who has waited for longest, or the youngest, and each of them once', () => {
    const key = constantFrom(...Object.keys(births))
    const step = oneof(
      record({ kind: constant('add' as const), key }),
      record({ kind: constant('delete' as const), key }),
      record({ kind: constantFrom('oldest' as const, 'youngest' as const) }),
    )
    assert(
      property(array(step, { maxLength: 400 }), (steps) => {
        const row = new Row(bornAt)
        let waiting: Waiting[] = []
        const without = (key: string | null) => waiting.filter((one) => one.key !== key)
        for (const one of steps) {
          if (one.kind === 'add') {
            row.add(one.key)
            const isThere = waiting.some(({ key }) => key === one.key)
            if (!isThere) waiting.push({ key: one.key, born: bornAt(one.key) })
          } else if (one.kind === 'delete') {
            row.delete(one.key)
            waiting = without(one.key)
          } else {
            const isFirst = one.kind === 'oldest'
            const wanted = isFirst ? (waiting[0]?.key ?? null) : youngest(waiting)
            expect(isFirst ? row.takeOldest() : row.takeYoungest()).toBe(wanted)
            waiting = without(wanted)
          }
          expect(row.size).toBe(waiting.length)
          for (const name of Object.keys(births)) {
            expect(row.has(name)).toBe(waiting.some(({ key }) => key === name))
          }
        }
      }),
    )
  })
})
