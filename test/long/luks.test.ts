import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Refused } from '../fixtures/corpus/member.ts'
import { luks } from '../fixtures/corpus/refused-formats.ts'
import { makeable, Workbench } from '../support/corpus.ts'
import { judge } from '../support/judge.ts'

const inputs = makeable(luks)
let bench: Workbench<Refused>

beforeAll(async () => {
  bench = await Workbench.of(inputs)
})
afterAll(() => bench[Symbol.asyncDispose]())

test.each(inputs)('$name of qemu-img is refused with $expected', async (input) => {
  const path = await bench.pathOf(input)
  await expect(judge(path, input.ends)).rejects.toMatchObject({ code: input.expected })
})
