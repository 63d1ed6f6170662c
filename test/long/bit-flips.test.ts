import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formats, type Format } from '../../src/image/format.ts'
import { corpus } from '../fixtures/corpus/corpus.ts'
import type { Member } from '../fixtures/corpus/member.ts'
import { makeable, Workbench } from '../support/corpus.ts'
import { flip, together, told, type FlipReport } from '../support/flips.ts'

/** A hundred runs for every file, or more of them from another seed: LONG_RUNS=1000 LONG_SEED=7 npm run long. */
const runs = Number(process.env['LONG_RUNS'] ?? 100)
const seed = Number(process.env['LONG_SEED'] ?? 20_261)
const members = makeable(corpus)
/** Milliseconds; a file must not keep a server busy by what was changed in it. */
const longest = 1000
/** The head of 2 MiB, two of the tail's 64 KiB, four places of 128 KiB, and what small copies take. */
const mostMemory = 4_194_304
/** No table is longer than what qemu reads of one at once. */
const mostRead = 33_554_432

let bench: Workbench<Member>
const reports = new Map<Format, FlipReport[]>()

beforeAll(async () => {
  bench = await Workbench.of(members)
})
afterAll(() => bench[Symbol.asyncDispose]())

describe(`flipped bits, ${members.length * runs} times (seed ${seed}),`, () => {
  test.each(members)('in $name never do more than have it refused', async (member) => {
    const path = await bench.pathOf(member)
    const report = await flip(member, path, runs, seed)
    const { format } = member.expected
    reports.set(format, [...(reports.get(format) ?? []), report])
    expect([...report.answers.keys()]).not.toContain('INTERNAL')
    expect(report.slowest).toBeLessThan(longest)
    expect(report.memory).toBeLessThan(mostMemory)
    expect(report.read).toBeLessThanOrEqual(mostRead)
  })

  test('leave some files of every format acceptable', () => {
    const all = [...reports].map(([format, of]) => [format, together(of)] as const)
    const total = together(all.map(([, of]) => of))
    const lines = [...all, ['all', total] as const].map(([name, of]) => [name, told(of)] as const)
    console.table(Object.fromEntries(lines))
    for (const format of formats) {
      const counts = together(reports.get(format) ?? []).answers
      expect(counts.get('accepted') ?? 0, format).toBeGreaterThan(0)
      expect(counts.size, format).toBeGreaterThan(1)
    }
  })
})
