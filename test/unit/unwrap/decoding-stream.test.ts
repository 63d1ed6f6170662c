import { buffer } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Decoder, Give } from '../../../src/unwrap/decoder.ts'
import { DecodingStream } from '../../../src/unwrap/decoding-stream.ts'
import { ThreadDecoder } from '../../../src/unwrap/thread-decoder.ts'
import { needs } from '../../support/programs.ts'
import { filtered } from './files.ts'

/** Milliseconds, whatever the size. */
const short = { base: 60, perByte: 0 }

/** Gives what it gets, as slowly as it is told. */
function slow(work: () => Promise<unknown>) {
  return (give: Give): Decoder => ({
    async write(bytes) {
      await work()
      await give(bytes)
    },
    end: async () => {},
    close() {},
  })
}

const never = () => new Promise<never>(() => {})

describe('the time that a decoder may take', () => {
  test('ends what never comes to an end', async () => {
    const stream = new DecodingStream('slow', slow(never), short)
    stream.write(Buffer.alloc(10))
    await expect(buffer(stream)).rejects.toMatchObject({
      code: 'DECOMPRESSION_LIMIT',
      message: expect.stringContaining('the slow file takes far too long to unpack'),
    })
  })

  test('is counted over all writes', async () => {
    const stream = new DecodingStream(
      'slow',
      slow(() => wait(15)),
      short,
    )
    for (let count = 0; count < 20; count += 1) stream.write(Buffer.alloc(10))
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'DECOMPRESSION_LIMIT' })
  })

  test('grows with the bytes that go in and come out', async () => {
    const allowance = { base: 60, perByte: 1 }
    const stream = new DecodingStream(
      'slow',
      slow(() => wait(15)),
      allowance,
    )
    for (let count = 0; count < 10; count += 1) stream.write(Buffer.alloc(30))
    stream.end()
    expect((await buffer(stream)).length).toBe(300)
  })

  test('does not pass while it waits for input, or for its reader', async () => {
    const stream = new DecodingStream(
      'slow',
      slow(async () => {}),
      short,
    )
    await wait(100)
    stream.write(Buffer.alloc(3_000_000))
    stream.write(Buffer.alloc(3_000_000))
    await wait(100)
    expect(stream.readableLength).toBe(3_000_000)
    stream.end()
    expect((await buffer(stream)).length).toBe(6_000_000)
  })

  test('is that of the processor where it is known', async () => {
    const base = slow(() => wait(15))
    const open = (give: Give): Decoder => ({ ...base(give), cpuTime: () => Promise.resolve(5) })
    const stream = new DecodingStream('slow', open, short)
    for (let count = 0; count < 12; count += 1) stream.write(Buffer.alloc(10))
    stream.end()
    expect((await buffer(stream)).length).toBe(120)
  })

  test.skipIf(!needs('bzip2', 'apt-get install bzip2'))('ends a thread at work', async () => {
    const bomb = filtered('bzip2', ['-c'], Buffer.alloc(100_000_000))
    const open = (give: Give) => new ThreadDecoder('bzip2', give)
    const stream = new DecodingStream('bzip2', open, { base: 400, perByte: 0 })
    stream.write(bomb)
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'DECOMPRESSION_LIMIT' })
  })
})

test('a failure of the thread itself is a failure of ours', async () => {
  const stream = new DecodingStream('absent', (give) => new ThreadDecoder('absent', give))
  stream.end(Buffer.alloc(10))
  await expect(buffer(stream)).rejects.toMatchObject({ code: 'INTERNAL' })
})
