import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { corpus } from '../fixtures/corpus/corpus.ts'
import type { Refused } from '../fixtures/corpus/member.ts'
import { refused } from '../fixtures/corpus/refused.ts'
import { makeable, Workbench } from '../support/corpus.ts'
import { judge } from '../support/judge.ts'

const inputs = makeable(refused)
let bench: Workbench<Refused>

beforeAll(async () => {
  bench = await Workbench.of(inputs)
})
afterAll(() => bench[Symbol.asyncDispose]())

/** The rows of formats.md, "What is refused, and with which code". */
const rows = [
  [1, 'a qcow2 with a backing file'],
  [2, 'a qcow2 with its data in another file'],
  [3, 'a VMDK that needs other files'],
  [4, 'a disk that is only the difference to another'],
  [5, 'a format that is not read'],
  [6, 'an encrypted disk'],
  [7, 'two formats at once'],
  [8, 'no disk at all'],
  [9, 'a header that cannot be true'],
  [10, 'a disk that claims too much'],
  [11, 'an archive that is not sound or has no end'],
  [12, 'a tar'],
] as const

/** Files of the corpus that look much the same and must be accepted: each is so in corpus.test.ts. */
const neighbours = [
  'qcow2-version-2-stray-bytes.qcow2',
  'qcow2-unknown-extension.qcow2',
  'qcow2-ends-behind-its-l1.qcow2',
  'qcow2-extended-l2-16k.qcow2',
  'qcow2-dirty.qcow2',
  'vmdk-stream-footer.vmdk',
  'vhdx-old-header-with-log.vhdx',
  'iso-isohybrid.iso',
  'iso-isohybrid-uefi.iso',
  'iso-appended-gpt.iso',
  'iso-protective.iso',
  'iso-offset.iso',
  'iso-udf-bridge.iso',
  'iso-hfs-plus.iso',
  'vhd-fixed-mbr-inside.vhd',
  'vhd-fixed-gpt-inside.vhd',
  'raw-magics-inside.img',
  'raw-mbr-odd-length.img',
  'wrapped-qcow2.skippable.zst',
  'wrapped-raw.pzstd.zst',
  'wrapped-raw.long.zst',
  'wrapped-qcow2.gz.xz',
]

test('the neighbours of what is refused are in the corpus', () => {
  expect(corpus.map(({ name }) => name)).toEqual(expect.arrayContaining(neighbours))
})

describe.each(rows)('row %i, %s', (row) => {
  const ofRow = inputs.filter((input) => input.row === row)

  test('is tried by at least two inputs', () => {
    const made = new Set(ofRow.map(({ programs }) => programs.join(' and ')))
    expect(ofRow.length).toBeGreaterThanOrEqual(2)
    // No program writes two formats at once, or text that is no disk, better than a function does.
    if (row !== 8) expect(made.size).toBeGreaterThanOrEqual(2)
  })

  test.each(ofRow)('refuses $name with $expected', async (input) => {
    const path = await bench.pathOf(input)
    await expect(judge(path, input.ends)).rejects.toMatchObject({ code: input.expected })
  })
})
