import { setImmediate as turn } from 'node:timers/promises'
import { Readable } from 'node:stream'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { flow } from '../../../src/store/flow.ts'

/** A stream that has all its chunks before anybody reads, and ends with them. */
const buffered = (chunks: readonly Buffer[]) => {
  const body = new Readable({ objectMode: true, read() {} })
  for (const chunk of [...chunks, null]) body.push(chunk)
  return body
}

describe('the flow of a body', () => {
  test('loses nothing, whatever has to be waited for', async () => {
    const piece = fc.record({ bytes: fc.uint8Array({ maxLength: 20 }), turns: fc.nat(3) })
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
        const taken: Buffer[] = []
        const left = [...pieces]
        const later = async (chunk: Uint8Array, turns: number) => {
          for (let count = 0; count < turns; count += 1) await turn()
          taken.push(Buffer.from(chunk))
        }
        const chunks = pieces.map(({ bytes }) => Buffer.from(bytes))
        await flow(buffered(chunks), (chunk) => {
          const turns = left.shift()?.turns ?? 0
          if (turns > 0) return later(chunk, turns)
          taken.push(Buffer.from(chunk))
          return null
        })
        expect(Buffer.concat(taken)).toEqual(Buffer.concat(chunks))
      }),
    )
  })

  test('ends after its last chunk has been taken', async () => {
    let isTaken = false
    const slowly = async () => {
      await turn()
      await turn()
      isTaken = true
    }
    await flow(buffered([Buffer.from('a'), Buffer.from('b')]), slowly)
    expect(isTaken).toBe(true)
  })

  test('fails as the body does, once nothing is being taken any more', async () => {
    const body = new Readable({ objectMode: true, read() {} })
    const state = { taking: false }
    const slowly = async () => {
      state.taking = true
      body.destroy(new Error('the cable'))
      await turn()
      state.taking = false
    }
    body.push(Buffer.from('a'))
    await expect(flow(body, slowly)).rejects.toThrow('the cable')
    expect(state.taking).toBe(false)
  })

  test.each([
    [
      'at once',
      () => {
        throw new Error('no room')
      },
    ],
    [
      'later',
      async () => {
        await turn()
        throw new Error('no room')
      },
    ],
  ])('fails when a chunk cannot be taken %s', async (_when, take) => {
    await expect(flow(buffered([Buffer.from('a'), Buffer.from('b')]), take)).rejects.toThrow(
      'no room',
    )
  })

  test('fails when the body is closed before its end', async () => {
    const body = new Readable({ objectMode: true, read() {} })
    const flowing = flow(body, () => null)
    body.destroy()
    await expect(flowing).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' })
  })

  test('takes anything that can be walked through', async () => {
    const taken: number[] = []
    await flow([Buffer.from('a'), Buffer.from('bc')], ({ length }) => {
      taken.push(length)
      return null
    })
    expect(taken).toEqual([1, 2])
  })
})
