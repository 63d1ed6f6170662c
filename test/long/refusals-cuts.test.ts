import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Member } from '../fixtures/corpus/member.ts'
import { wrappedMembers } from '../fixtures/corpus/wrapped.ts'
import { makeable, Workbench } from '../support/corpus.ts'
import { answerOf } from '../support/in-memory.ts'
import { examinePieces } from '../support/judge.ts'
import { Random } from '../support/random.ts'

const seed = 20_263
/** How many streams are read at a time. */
const atATime = 2
/** xz and bzip2 start a thread for each stream, which takes a fifth of a second. */
const deadline = 90_000

/** How often each is cut, and how many of its last bytes may be missing: a frame that is skipped holds nothing. */
const cuts: readonly (readonly [name: string, times: number, without?: number])[] = [
  ['wrapped-raw.blocks.xz', 100],
  ['wrapped-qcow2.xz', 20],
  ['wrapped-raw.zst', 100],
  ['wrapped-raw.pzstd.zst', 100],
  ['wrapped-qcow2.skippable.zst', 100, 12],
  ['wrapped-vhd.no-size.zst', 100],
  ['wrapped-raw.bz2', 20],
  ['wrapped-raw.pigz.gz', 100],
]
const wanted = wrappedMembers.flatMap((member) => {
  const found = cuts.find(([name]) => name === member.name)
  return found ? [{ ...member, times: found[1], without: found[2] ?? 0 }] : []
})
const members = makeable(wanted)
let bench: Workbench<Member>

beforeAll(async () => {
  bench = await Workbench.of(members)
})
afterAll(() => bench[Symbol.asyncDispose]())

/** Behind the signature, which alone makes the file an archive, and before the last byte that counts. */
function pointsIn(length: number, times: number): readonly number[] {
  const random = new Random(seed)
  return Array.from({ length: times }, () => 10 + random.below(length - 10))
}

test.each(members)(
  `$name is never accepted when it is cut, $times times (seed ${seed})`,
  { timeout: deadline },
  async (member) => {
    const bytes = await readFile(await bench.pathOf(member))
    const points = pointsIn(bytes.length - member.without, member.times)
    for (let first = 0; first < points.length; first += atATime) {
      const some = points.slice(first, first + atATime)
      const work = some.map((length) => answerOf(examinePieces([bytes.subarray(0, length)], null)))
      const answers = await Promise.all(work)
      expect(answers, `cut at ${some.join(', ')}`).toEqual(some.map(() => 'CORRUPT_ARCHIVE'))
    }
  },
)

test('all kinds of archives are cut', () => {
  expect(wanted.length).toBe(cuts.length)
})
