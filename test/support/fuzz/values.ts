import type { Random } from '../random.ts'

/** Values of every JSON type, most of which stand wherever they are put by mistake. */
export const values: readonly [unknown, ...unknown[]] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  2 ** 53,
  -(2 ** 63),
  1e308,
  '',
  ' ',
  '0',
  '-1',
  '\0',
  '../../../../etc/passwd',
  '%2e%2e%2f',
  "'; drop table images; --",
  '\u202e\u0000\uffff',
  '😀'.repeat(70),
  'x'.repeat(10_000),
  '${7*7}{{7*7}}',
  [],
  [null],
  [[[[[]]]]],
  {},
  { '': '' },
  { length: 1e9 },
  { toString: null, constructor: null },
]

/** A copy with something changed in some place: taken away, doubled, of another type, or beside it. */
export function mutated(value: unknown, random: Random): unknown {
  const copy: unknown = structuredClone(value)
  const places = placesIn(copy, [])
  const path = places[random.below(places.length)] ?? []
  return changed(copy, path, random)
}

type Path = readonly string[]

function placesIn(value: unknown, path: Path): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const below = Object.entries(value).flatMap(([name, each]) => placesIn(each, [...path, name]))
  return [path, ...below]
}

function changed(value: unknown, path: Path, random: Random): unknown {
  const [name, ...others] = path
  if (name === undefined) return otherThan(value, random)
  if (typeof value !== 'object' || value === null) return value
  const isGone = others.length === 0 && random.below(4) === 0
  const entries = Object.entries(value)
    .filter(([own]) => !isGone || own !== name)
    .map(([own, each]) => [own, own === name ? changed(each, others, random) : each] as const)
  return Array.isArray(value) ? entries.map(([, each]) => each) : Object.fromEntries(entries)
}

function otherThan(value: unknown, random: Random): unknown {
  const kind = random.below(6)
  if (kind === 0) return [value]
  if (kind === 1) return [value, value]
  if (kind === 2) return { value }
  if (kind === 3 && typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return { ...value, [`x${random.below(100)}`]: random.pick(values) }
  }
  if (kind === 4 && typeof value === 'string') return spoilt(value, random)
  return random.pick(values)
}

/** A text with something in it, before it or behind it. */
export function spoilt(text: string, random: Random): string {
  const bad = random.pick(['\0', '/', '..', '%', ' ', '\n', 'Ä', ':', '@', '\\', '*', '😀', text])
  const at = random.below(text.length + 1)
  return text.slice(0, at) + bad + text.slice(at)
}
