import { PassThrough, Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Outage } from '../../src/errors.ts'
import { examine } from '../../src/work/examine.ts'
import { qcow2 } from '../fixtures/qcow2.ts'
import { mbrDisk } from '../fixtures/raw.ts'

const limits = { maxVirtualSize: 1024 ** 4, maxOutput: 1024 ** 3 }
const never = new AbortController().signal

function stream(bytes: Buffer): Readable {
  return Readable.from([bytes], { objectMode: false })
}

describe('examining', () => {
  test('tells the facts of a file, wrapped or not', async () => {
    const file = qcow2()
    const facts = await examine(stream(file), file.length, limits, never)
    expect(facts).toMatchObject({ format: 'qcow2', unpackedBytes: 1_073_741_824 })
    const wrapped = gzipSync(gzipSync(file))
    expect(await examine(stream(wrapped), wrapped.length, limits, never)).toEqual(facts)
  })

  test('refuses what is empty, by itself or in its wrapping', async () => {
    for (const file of [Buffer.alloc(0), gzipSync('')]) {
      const act = examine(stream(file), null, limits, never)
      await expect(act).rejects.toMatchObject({ code: 'NOT_AN_IMAGE' })
    }
  })

  test('refuses a bad header before the stream ends, and closes the source', async () => {
    const source = new PassThrough()
    source.write(Buffer.concat([qcow2({ incompatible: 4n }), Buffer.alloc(262_144)]))
    await expect(examine(source, null, limits, never)).rejects.toMatchObject({
      code: 'EXTERNAL_REFERENCE',
    })
    expect(source.destroyed).toBe(true)
  })

  test('refuses more than was declared, or less', async () => {
    const act = examine(stream(mbrDisk([])), 4_194_305, limits, never)
    await expect(act).rejects.toMatchObject({ code: 'SIZE_MISMATCH' })
  })

  test('passes on an outage of the source and stops when it is told to', async () => {
    const outage = new Outage('SOURCE_UNAVAILABLE', 'gone')
    const broken = new PassThrough()
    broken.write(Buffer.alloc(10_000))
    setTimeout(() => broken.destroy(outage), 10)
    await expect(examine(broken, null, limits, never)).rejects.toBe(outage)
    const endless = new PassThrough()
    endless.write(Buffer.alloc(10_000))
    await expect(examine(endless, null, limits, AbortSignal.timeout(10))).rejects.toThrow(/abort/)
    expect(endless.destroyed).toBe(true)
  })
})
