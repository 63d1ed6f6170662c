import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Failure, Outage } from '../../../src/errors.ts'
import { noise } from '../../fixtures/noise.ts'
import { unwrap } from '../../../src/unwrap/unwrap.ts'

const disk = noise(300_000)
const never = new AbortController().signal
const plenty = { maxOutput: 1_000_000_000 }

/** The bytes in pieces, as a socket gives them. */
function piecewise(bytes: Buffer, piece = 1000): Readable {
  const pieces = Array.from({ length: Math.ceil(bytes.length / piece) }, (_, index) =>
    bytes.subarray(index * piece, (index + 1) * piece),
  )
  return Readable.from(pieces, { objectMode: false })
}

async function unwrapped(bytes: Buffer, piece = 1000): Promise<Buffer> {
  const { body } = await unwrap(piecewise(bytes, piece), plenty, never)
  return buffer(body)
}

/** The code of the refusal, wherever it shows: in the call or in the stream. */
async function refusal(bytes: Buffer, options = plenty): Promise<Failure> {
  const source = piecewise(bytes)
  try {
    const { body } = await unwrap(source, options, never)
    await buffer(body)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    // A failure closes the source, if not in the same turn.
    await closed(source)
    return error
  }
  throw new Error('it was accepted')
}

async function closed(stream: Readable): Promise<void> {
  await expect.poll(() => stream.closed, { timeout: 5000 }).toBe(true)
}

describe('unwrapping', () => {
  test.each([0, 1, 2, 511, 512, 513, 300_000])(
    'gives %i plain bytes back as they are',
    async (length) => {
      for (const piece of [1, 7, 600, 70_000].slice(length > 1000 ? 2 : 0)) {
        expect(
          (await unwrapped(disk.subarray(0, length), piece)).equals(disk.subarray(0, length)),
        ).toBe(true)
      }
    },
  )

  test('returns the very stream when nothing is wrapped', async () => {
    const source = piecewise(disk)
    const { body, wrapping } = await unwrap(source, plenty, never)
    expect(body).toBe(source)
    expect(wrapping).toEqual([])
    body.destroy()
  })

  test('takes gzip off, once and twice, in pieces of any size', async () => {
    for (const [length, piece] of [
      [2000, 1],
      [20_000, 13],
      [300_000, 65_536],
    ] as const) {
      const bytes = disk.subarray(0, length)
      const once = gzipSync(bytes)
      expect((await unwrapped(once, piece)).equals(bytes)).toBe(true)
      expect((await unwrapped(gzipSync(once), piece)).equals(bytes)).toBe(true)
    }
    const { wrapping, body } = await unwrap(piecewise(gzipSync(gzipSync(disk))), plenty, never)
    expect(wrapping).toEqual(['gzip', 'gzip'])
    body.destroy()
  })

  test('refuses a third layer', async () => {
    const { code } = await refusal(gzipSync(gzipSync(gzipSync(disk))))
    expect(code).toBe('DECOMPRESSION_LIMIT')
  })

  test('stops what unpacks to more than is accepted', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000))
    expect((await refusal(bomb, { maxOutput: 49_999_999 })).code).toBe('DECOMPRESSION_LIMIT')
    expect((await refusal(gzipSync(bomb), { maxOutput: 1_000_000 })).code).toBe(
      'DECOMPRESSION_LIMIT',
    )
    const { body } = await unwrap(piecewise(bomb), { maxOutput: 50_000_000 }, never)
    expect((await buffer(body)).length).toBe(50_000_000)
  })

  test('refuses lz4 with the command that unpacks it, outside and inside of gzip', async () => {
    const bytes = Buffer.from('\x04"M\x18....', 'latin1')
    for (const file of [bytes, gzipSync(bytes)]) {
      expect(await refusal(file)).toMatchObject({
        code: 'UNSUPPORTED_FORMAT',
        message: expect.stringContaining('lz4 -d'),
      })
    }
  })

  test('does not take a skippable frame alone for zstd', async () => {
    const bytes = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect((await unwrapped(bytes)).equals(bytes)).toBe(true)
  })

  test('passes on what the source fails with', async () => {
    const outage = new Outage('SOURCE_UNAVAILABLE', 'gone')
    for (const file of [disk, gzipSync(disk)]) {
      for (const length of [100, 10_000]) {
        const source = new PassThrough()
        source.write(file.subarray(0, length))
        setTimeout(() => source.destroy(outage), 20)
        const act = unwrap(source, plenty, never).then(({ body }) => buffer(body))
        await expect(act).rejects.toBe(outage)
      }
    }
  })

  test('destroys the source when its result is destroyed', async () => {
    for (const file of [disk, gzipSync(disk), gzipSync(gzipSync(disk))]) {
      const source = new PassThrough()
      source.write(file)
      const { body } = await unwrap(source, plenty, never)
      body.destroy()
      await closed(source)
    }
  })

  test('stops when it is told to, before, during and after the first bytes', async () => {
    await expect(unwrap(piecewise(disk), plenty, AbortSignal.abort())).rejects.toThrow(/abort/)
    const waiting = new PassThrough()
    await expect(unwrap(waiting, plenty, AbortSignal.timeout(20))).rejects.toThrow(/abort/)
    expect(waiting.destroyed).toBe(true)
    for (const file of [disk, gzipSync(disk)]) {
      const source = new PassThrough()
      source.write(file)
      const { body } = await unwrap(source, plenty, AbortSignal.timeout(50))
      await expect(buffer(body)).rejects.toThrow(/abort/)
      expect(source.destroyed).toBe(true)
    }
  })

  test('reports a failure that comes while nobody listens to the one who reads later', async () => {
    const source = piecewise(gzipSync(disk).subarray(0, 50_000))
    const { body } = await unwrap(source, plenty, never)
    await wait(50)
    await expect(buffer(body)).rejects.toMatchObject({ code: 'CORRUPT_ARCHIVE' })
  })

  test('holds back the source while nobody reads', async () => {
    let given = 0
    const zeros = gzipSync(Buffer.alloc(4_000_000))
    const source = new Readable({
      read() {
        given += zeros.length
        this.push(given > 400_000_000 ? null : zeros)
      },
    })
    const { body } = await unwrap(source, plenty, never)
    await wait(200)
    expect(given).toBeLessThan(1_000_000)
    body.destroy()
  })
})
