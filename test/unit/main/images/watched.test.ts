import { expect, test } from 'vitest'
import { Outage } from '../../../../src/errors.ts'
import { Watched } from '../../../../src/main/images/watched.ts'
import { Screen } from '../../../../src/main/screen.ts'
import { shownImage, trouble } from '../../../support/shown-image.ts'

const now = Date.parse('2026-01-01T00:00:10.000Z')
const wide = { rows: 24, columns: 80 }

function watching(...names: readonly string[]): Watched {
  const watched = new Watched()
  watched.take({ kind: 'reset' })
  for (const name of names) watched.take({ kind: 'image', image: shownImage(name) })
  watched.take({ kind: 'settled' })
  return watched
}

const names = (lines: readonly string[]) => lines.slice(1).map((line) => line.split(' ')[0])

test('those come first that are not Ready, and what was deleted is gone', () => {
  const watched = watching('a', 'b', 'c')
  watched.take({ kind: 'image', image: shownImage('c', { phase: 'Failed' }) })
  expect(names(watched.lines(now, wide))).toEqual(['c', 'a', 'b'])
  watched.take({ kind: 'deleted', name: 'b', uid: 'another' })
  watched.take({ kind: 'deleted', name: 'a', uid: 'uid-of-a' })
  expect(names(watched.lines(now, wide))).toEqual(['c', 'b'])
})

test('what is not told again with the whole state is gone', () => {
  const watched = watching('a', 'b')
  watched.take({ kind: 'reset' })
  watched.take({ kind: 'image', image: shownImage('b') })
  expect(names(watched.lines(now, wide))).toEqual(['a', 'b'])
  watched.take({ kind: 'settled' })
  expect(names(watched.lines(now, wide))).toEqual(['b'])
})

test('lines fit the terminal, however many images there are', () => {
  const watched = watching(...Array.from({ length: 1000 }, (_, index) => `an-image-${index}`))
  for (const [rows, columns] of [
    [24, 80],
    [5, 20],
    [3, 10],
  ] as const) {
    const lines = watched.lines(now, { rows, columns })
    expect(lines.length).toBeLessThan(rows)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns)
  }
  expect(watched.lines(now, wide).at(-1)).toBe('and 979 more')
})

test('the matter with a single image, and a lost service, are said below', () => {
  const watched = watching()
  const conditions = [trouble('ProvisioningFailed', 'no\u0007 route')]
  watched.take({ kind: 'image', image: shownImage('a', { phase: 'Provisioning', conditions }) })
  watched.take({ kind: 'lost', why: new Outage('SERVICE_UNREACHABLE', 'nobody answers') })
  expect(watched.lines(now, wide).slice(2)).toEqual([
    'no\uFFFD route',
    'nobody answers; trying again',
  ])
  watched.take({ kind: 'found' })
  expect(watched.lines(now, wide)).toHaveLength(3)
})

test('a screen draws over its own lines, and anew when its size changes', () => {
  const written: string[] = []
  const told = new Map<string, () => void>()
  const terminal = {
    write: (text: string) => written.push(text) > 0,
    on: (event: string, listener: () => void) => told.set(event, listener),
    off: (event: string) => told.delete(event),
  }
  let lines = ['one', 'two']
  const screen = new Screen(terminal, () => lines)
  told.get('resize')?.()
  expect(written.join('')).toBe('\u001B[H\u001B[J\r\u001B[Jone\ntwo\n')
  lines = ['three']
  screen[Symbol.dispose]()
  expect(written.at(-1)).toBe('\u001B[2A\r\u001B[Jthree\n')
  expect(told.size).toBe(0)
})
