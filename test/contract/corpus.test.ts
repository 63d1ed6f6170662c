import { open, stat } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Facts } from '../../src/image/format.ts'
import { inspectSparsely } from '../../src/inspect/sparse.ts'
import { corpus, limits } from '../fixtures/corpus/corpus.ts'
import type { Expected, Member } from '../fixtures/corpus/member.ts'
import { makeable, Workbench } from '../support/corpus.ts'
import { judge, judgePassing, patience, wholeFile } from '../support/judge.ts'
import { run } from '../support/shell.ts'

const members = makeable(corpus)
const wrapped = members.filter(({ name }) => name.startsWith('wrapped-'))
const plain = members.filter((member) => !wrapped.includes(member))
const accepted = new Map<string, number>()
let bench: Workbench<Member>

beforeAll(async () => {
  bench = await Workbench.of(members)
})
afterAll(() => bench[Symbol.asyncDispose]())

/** The size that the referee tells: qemu-img, which is told the format, or the file's own length. */
async function sizeOf(path: string, { size }: Expected): Promise<number> {
  if (typeof size === 'number') return size
  if (size === 'length') return (await stat(path)).size
  const told = await run('qemu-img', ['info', '-f', size, '--output=json', path])
  return JSON.parse(told)['virtual-size']
}

function expectFacts(facts: Facts, size: number, expected: Expected): void {
  const { format, details = {}, bootable, architecture } = expected
  expect(facts).toMatchObject({
    format,
    unpackedBytes: size,
    details,
    ...(bootable === undefined ? {} : { bootable }),
    ...(architecture === undefined ? {} : { architecture }),
  })
  accepted.set(format, (accepted.get(format) ?? 0) + 1)
}

describe('a file of the corpus', () => {
  test.each(plain)('$name is accepted for what it is', async (member) => {
    const path = await bench.pathOf(member)
    const facts = await judge(path, member.ends)
    expectFacts(facts, await sizeOf(path, member.expected), member.expected)
    expect(await judgePassing(path, member.ends, 'unknown')).toEqual(facts)
    await using file = await open(path)
    const whole = wholeFile(file, (await file.stat()).size)
    expect(await inspectSparsely(whole, limits, AbortSignal.timeout(patience))).toEqual(facts)
  })

  test.each(wrapped)('$name is accepted for what is inside', async (member) => {
    const path = await bench.pathOf(member)
    const facts = await judge(path)
    expectFacts(facts, await sizeOf(path, member.expected), member.expected)
  })
})

test('the corpus has at least 50 accepted shapes, of every format', () => {
  console.info('accepted shapes', Object.fromEntries(accepted))
  const all = [...accepted.values()].reduce((sum, count) => sum + count, 0)
  expect(accepted.size).toBe(7)
  // On a machine without the programs fewer are made, which CI does not allow.
  if (members.length === corpus.length) expect(all).toBeGreaterThanOrEqual(50)
})
