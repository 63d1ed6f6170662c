import { describe, expect, test } from 'vitest'
import { readBlocks } from '../support/readme-blocks.ts'

const fence = '```'
const block = (info: string, ...before: readonly string[]) =>
  [...before, `${fence}${info}`, 'echo', fence].join('\n')

describe('the blocks of a document', () => {
  test.each([
    ['sh run', 'run'],
    ['sh run service', 'service'],
    ['sh run stopped', 'stopped'],
    ['sh', null],
    ['', null],
  ])('"%s" is %s', (info, way) => {
    const { blocks } = readBlocks(block(info))
    expect(blocks).toEqual([{ line: 1, text: 'echo', way, reason: null }])
  })

  test.each(['sh runs', 'sh run twice', 'sh run service now'])('"%s" is no mark', (info) => {
    expect(() => readBlocks(block(info))).toThrow('is no mark of a block')
  })

  test('a reason stands in the line before', () => {
    const { blocks, lost } = readBlocks(block('sh', 'a text', '<!-- not run: why not -->'))
    expect(blocks).toEqual([{ line: 3, text: 'echo', way: null, reason: 'why not' }])
    expect(lost).toEqual([])
  })

  test('a reason that belongs to no block is lost', () => {
    expect(readBlocks(block('sh', '<!-- not run: why not -->', ''))).toMatchObject({
      blocks: [{ reason: null }],
      lost: [1],
    })
  })

  test('what is indented is taken out', () => {
    const text = `- a\n\n  ${fence}yaml\n  a:\n    - b\n  ${fence}\n`
    expect(readBlocks(text).blocks).toMatchObject([{ line: 3, text: 'a:\n  - b' }])
  })

  test('a block that does not end is told', () => {
    expect(() => readBlocks(`${fence}sh\necho`)).toThrow('the block in line 1 does not end')
  })
})
