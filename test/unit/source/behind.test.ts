import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { behind } from '../../../src/source/behind.ts'

const bytes = Buffer.from('0123456789')
const pieces = (...lengths: readonly number[]) => {
  let at = 0
  return Readable.from(
    lengths.map((length) => bytes.subarray(at, (at += length))),
    { objectMode: false },
  )
}

describe('what comes behind the first bytes', () => {
  test.each([0, 1, 3, 4, 9, 10, 11])('is the rest: %d', async (count) => {
    for (const lengths of [[10], [3, 7], [4, 4, 2], [9, 1]]) {
      const rest = await buffer(behind(count, pieces(...lengths)))
      expect(rest.toString()).toBe(bytes.subarray(count).toString())
    }
  })

  test('fails as the whole does', async () => {
    const broken = new Error('broken')
    const body = new Readable({ read: () => void body.destroy(broken) })
    await expect(buffer(behind(5, body))).rejects.toBe(broken)
  })

  test('closes the whole when it is closed', async () => {
    const body = pieces(10)
    const closed = new Promise((resolve) => body.once('close', resolve))
    behind(5, body).destroy()
    await closed
  })
})
