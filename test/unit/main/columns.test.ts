import { expect, test } from 'vitest'
import { Columns } from '../../../src/main/columns.ts'
import { plain } from '../../../src/main/plain.ts'

const heads = ['NAME', 'PHASE', 'SIZE']

test('columns stand below each other', () => {
  const columns = new Columns(heads, null)
  columns.measure([['ubuntu', 'Ready', '2Gi']])
  expect(columns.head()).toBe('NAME    PHASE  SIZE\n')
  expect(columns.lines([['ubuntu', 'Ready', '2Gi']])).toBe('ubuntu  Ready  2Gi\n')
  expect(columns.lines([['a', 'Provisioning 5%', '-']])).toBe('a       Provisioning 5%  -\n')
  expect(columns.lines([['b', 'Ready', '-']])).toBe('b       Ready            -\n')
})

test('the first column gives way on a narrow terminal, and no line is longer', () => {
  const name = 'a-name-that-is-much-longer-than-the-terminal'
  for (const width of [10, 20, 30, 40, 80]) {
    const columns = new Columns(heads, width)
    const lines = columns.lines([[name, 'Provisioning 42.5%', '2Gi']]).split('\n')
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(width)
  }
  const shown = new Columns(heads, 40).lines([[name, 'Provisioning 42.5%', '2Gi']])
  expect(shown).toBe('a-name-that-i…  Provisioning 42.5%  2Gi\n')
  expect(new Columns(heads, null).lines([[name, 'Ready', '2Gi']])).toContain(name)
})

test('what strangers wrote does not move the cursor', () => {
  expect(plain('a\u001B[2Jb\u009Bc\rd\ne\tf\u202Eg\u2066h\u2028i')).toBe(
    'a\uFFFD[2Jb\uFFFDc d e f\uFFFDg\uFFFDh i',
  )
  expect(plain('ümläut 漢字 …')).toBe('ümläut 漢字 …')
  const line = new Columns(heads, null).lines([['a\u001B]0;x\u0007', 'Ready', '-']])
  expect(line.trimEnd()).not.toMatch(/\p{Cc}/u)
})

test('100 000 rows are shown page by page, each page in the room of its own', () => {
  const columns = new Columns(heads, 100)
  let lines = 0
  for (let page = 0; page < 200; page += 1) {
    const rows = Array.from({ length: 500 }, (_, row) => [`image-${page}-${row}`, 'Ready', '2Gi'])
    const text = columns.lines(rows)
    expect(text.length).toBeLessThanOrEqual(500 * 101)
    lines += text.split('\n').length - 1
  }
  expect(lines).toBe(100_000)
})
