import { beforeAll, describe, expect, test } from 'vitest'
import { Bodies } from '../../../../src/sync/webhook/bodies.ts'
import { machine, machineClass } from '../../../support/machine-classes.ts'
import { certify, type Certificates } from '../../source/certificates.ts'
import { open, reviewOf } from './open.ts'

let certificates: Certificates
beforeAll(async () => {
  certificates = await certify('IP:127.0.0.1')
})

const path = '/validate-virtualmachines'
const review = reviewOf(machine({ cores: 1 }, '1Gi', 'c'))
const padded = (padding: unknown) => JSON.stringify({ ...review, padding })
const tooMuch = {
  status: 429,
  text: 'the reviews that are under way take too much memory, and this one most of it\n',
}
const stored = [machineClass()]

describe('bodies of reviews', () => {
  test('with more values than memory is for are refused, and others are answered', async () => {
    await using opened = await open(certificates, { stored, limits: { bodies: 100_000 } })
    const values = padded(Array.from({ length: 2000 }, () => ({})))
    expect(values.length).toBeLessThan(10_000)
    expect(await opened.send(path, values)).toEqual(tooMuch)
    expect((await opened.send(path, padded('{'.repeat(10_000)))).status).toBe(200)
    expect(await opened.counted()).toEqual([
      ['validate-virtualmachines', 'invalid', 1],
      ['validate-virtualmachines', 'allowed', 1],
    ])
  })

  test('that come slowly give way to smaller ones', async () => {
    const bodies = new Bodies({ body: 50_000, bodies: 100_000 })
    const slow = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(Buffer.alloc(20_000, ' ')),
    })
    using large = bodies.open()
    const givenUp = expect(large.text(slow)).rejects.toMatchObject({ code: 'TOO_MANY_REQUESTS' })
    await expect.poll(() => large.cost).toBe(80_000)
    using small = bodies.open()
    const text = 'a'.repeat(10_000)
    expect(await small.text(new Blob([text]).stream())).toBe(text)
    await givenUp
    expect(small.signal.aborted).toBe(false)
  })

  test('count until their reviews are answered, and no longer', async () => {
    const bodies = new Bodies({ body: 50_000, bodies: 100_000 })
    const blob = new Blob(['a'.repeat(20_000)])
    const read = async () => {
      using body = bodies.open()
      await body.text(blob.stream())
    }
    await read()
    await read()
    using held = bodies.open()
    await held.text(blob.stream())
    expect(held.signal.aborted).toBe(false)
    await read().catch((error: unknown) =>
      expect(error).toMatchObject({ code: 'TOO_MANY_REQUESTS' }),
    )
    expect(held.signal.aborted).toBe(true)
  })

  test('are weighed by what is outside of strings', async () => {
    const cost = async (text: string) => {
      using body = new Bodies({ body: 1000, bodies: 100_000 }).open()
      // Strings and signs go over the borders of what comes at once.
      const chunks = Array.from(text, (char) => Buffer.from(char))
      await body.text(ReadableStream.from(chunks))
      return body.cost - 4 * text.length
    }
    expect(await cost('"{[,:"')).toBe(0)
    expect(await cost('{[,')).toBe(3 * 64)
    expect(await cost('{"a":1}')).toBe(64 + 256)
    expect(await cost(String.raw`["\\",{},"\",{"]`)).toBe(4 * 64)
  })
})
