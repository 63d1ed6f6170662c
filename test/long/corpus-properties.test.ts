import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Failure } from '../../src/errors.ts'
import { corpus } from '../fixtures/corpus/corpus.ts'
import type { Member } from '../fixtures/corpus/member.ts'
import { makeable, Workbench } from '../support/corpus.ts'
import { isQuick } from '../support/flips.ts'
import {
  answerOf,
  bothLooks,
  cut,
  firstLook,
  load,
  sizeOf,
  type Pieces,
} from '../support/in-memory.ts'
import { examinePieces } from '../support/judge.ts'
import { Random, seedOf } from '../support/random.ts'

const members = makeable(corpus)
const wrapped = members.filter(({ name }) => name.startsWith('wrapped-'))
const plain = members.filter((member) => !wrapped.includes(member))
const seed = 20_262
let bench: Workbench<Member>

beforeAll(async () => {
  bench = await Workbench.of(members)
})
afterAll(() => bench[Symbol.asyncDispose]())

/** Facts or a refusal, as one text. */
function answer(pieces: Pieces, size: number | null): string {
  const found = firstLook(pieces, size)
  return found instanceof Failure ? `${found.code} ${found.message}` : JSON.stringify(found)
}

/** The first piece in small ones of odd lengths, in memory that is used again. */
function chopped([head = Buffer.alloc(0), ...rest]: Pieces, random: Random): Pieces {
  const pieces: Buffer[] = []
  let at = 0
  while (at < head.length) {
    const length = 1 + random.below(random.pick([70, 5000, 300_000, 1_500_000]))
    if (pieces.length < 200) pieces.push(head.subarray(at, at + length))
    else pieces.push(head.subarray(at))
    at = pieces.length > 200 ? head.length : at + length
  }
  return [...pieces, ...rest]
}

/** Anywhere, and often in the first bytes, where the headers are, or just before the end, where the footers are. */
function cutPoint(size: number, random: Random): number {
  const place = random.below(4)
  if (place === 0) return random.below(Math.min(size, 4096))
  if (place === 1) return random.below(Math.min(size, 300_000))
  if (place === 2) return size - 1 - random.below(Math.min(size, 2048))
  return random.below(size)
}

describe(`a file of the corpus (seed ${seed})`, () => {
  test.each(plain)('$name is judged alike in any chunking', async (member) => {
    const pieces = await load(await bench.pathOf(member), member.ends)
    const random = new Random(seedOf(member.name, seed))
    const size = sizeOf(pieces)
    const expected = answer(pieces, size)
    expect(answer(pieces, null)).toBe(expected)
    for (let run = 0; run < 3; run += 1) {
      expect(answer(chopped(pieces, random), run % 2 === 0 ? size : null)).toBe(expected)
    }
  })

  test.each(plain)('$name fails only in the known ways when it is cut', async (member) => {
    const pieces = await load(await bench.pathOf(member), member.ends)
    const random = new Random(seedOf(member.name, seed))
    const size = sizeOf(pieces)
    for (let run = 0; run < 6; run += 1) {
      const part = cut(pieces, cutPoint(size, random))
      expect(await bothLooks(part, sizeOf(part))).not.toBe('INTERNAL')
      expect(await bothLooks(part, null)).not.toBe('INTERNAL')
      expect(await bothLooks(part, size)).not.toBe('accepted')
    }
  })

  test.each(wrapped)('$name is judged alike in any chunking', async (member) => {
    const bytes = await readFile(await bench.pathOf(member))
    const random = new Random(seedOf(member.name, seed))
    const expected = await examinePieces([bytes], bytes.length)
    for (let run = 0; run < (isQuick(member) ? 4 : 1); run += 1) {
      expect(await examinePieces(chopped([bytes], random), null)).toEqual(expected)
    }
  })

  test.each(wrapped)('$name fails only in the known ways when it is cut', async (member) => {
    const bytes = await readFile(await bench.pathOf(member))
    const random = new Random(seedOf(member.name, seed))
    for (let run = 0; run < (isQuick(member) ? 10 : 1); run += 1) {
      const part = bytes.subarray(0, cutPoint(bytes.length, random))
      expect(await answerOf(examinePieces([part], null))).not.toBe('INTERNAL')
    }
  })
})
