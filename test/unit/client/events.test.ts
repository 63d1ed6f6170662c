import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventsIn } from '../../../src/client/events.ts'

async function* pieces(bytes: Buffer, cuts: readonly number[] = []) {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  let at = 0
  for (const end of ends) {
    yield bytes.subarray(at, end)
    at = end
  }
}

test('events are the same however their bytes are cut', async () => {
  const text =
    'event: reset\nid: \ndata: {}\n\n:\n\nevent: image\ndata: "ä€𝄞"\n\n:\nid: 6\n\nevent: deleted\nid: 7\ndata: {}\n\nevent: image\ndata: half'
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat()), async (cuts) => {
      expect(await Array.fromAsync(eventsIn(pieces(Buffer.from(text), cuts)))).toEqual([
        { event: 'reset', data: '{}', id: '' },
        { event: 'image', data: '"ä€𝄞"', id: null },
        { event: 'deleted', data: '{}', id: '7' },
      ])
    }),
    { numRuns: 50 },
  )
})

test('an event without an end is not waited for', async () => {
  const endless = async function* () {
    for (let sent = 0; sent < 10; sent += 1) yield Buffer.alloc(1024 * 1024, 'x')
    throw new Error('everything was read')
  }
  await expect(Array.fromAsync(eventsIn(endless()))).rejects.toMatchObject({
    code: 'SERVICE_UNREACHABLE',
    message: expect.stringContaining('longer than'),
  })
})
