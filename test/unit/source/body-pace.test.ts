import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../src/image/digest.ts'
import { Bandwidth } from '../../../src/source/bandwidth.ts'
import { HandTicker } from '../../support/hand-ticker.ts'
import { content, forever, type Script } from '../../support/http-neighbour.ts'
import { besideRegistry, client, readBlob } from './registry/pulls.ts'
import { beside, deadline, failing, open, placeAt } from './visits.ts'

/** Bytes a second; a quarter of it goes at once. */
const rate = 100 * 1024
const burst = rate / 4
const size = 300_000

function limited() {
  const ticker = new HandTicker()
  const options = { bandwidth: new Bandwidth(rate, ticker) }
  /** Lets time go on, a millisecond whenever nothing else is to be done, until there is an end. */
  const during = async <Result>(work: Promise<Result>): Promise<Result> => {
    const end = () => 'over' as const
    const over = work.then(end, end)
    while ((await Promise.race([over, setImmediate('open' as const)])) === 'open') {
      ticker.runTo(ticker.now() + 1)
    }
    return await work
  }
  return { ticker, options, during }
}

/** Milliseconds that so many bytes take, the first of which are saved. */
const least = (bytes: number) => ((bytes - burst) / rate) * 1000

describe('a body that is taken slowly', () => {
  test.each([
    ['with a length', {}],
    ['chunked', { framing: 'chunked' }],
    ['until close', { framing: 'until close' }],
    ['in a piece that was there before', { size: 20_000 }],
  ] as const)('comes whole, in its time (%s)', (_, script: Script) =>
    beside(async (neighbour) => {
      const { ticker, options, during } = limited()
      const { body } = await open(neighbour.serve('/x', { size, ...script }), { options })
      const bytes = await during(buffer(body))
      expect(bytes.equals(content(script.size ?? size))).toBe(true)
      expect(ticker.now()).toBeGreaterThanOrEqual(Math.floor(least(bytes.length)))
    }),
  )

  test('tells what it has let through, not what has come', () =>
    beside(async (neighbour) => {
      const { ticker, options, during } = limited()
      let counted = 0
      const tally = { expect: () => {}, add: (bytes: number) => void (counted += bytes) }
      const place = placeAt(neighbour.serve('/x', { size }), { options })
      const { body } = await place.open(null, deadline(), tally)
      await during(once(body, 'readable'))
      // As many turns as all of it would take.
      for (let turn = 0; turn < 100; turn += 1) {
        ticker.runTo(ticker.now())
        await setImmediate()
      }
      expect(counted).toBeLessThanOrEqual(burst + (ticker.now() * rate) / 1000)
      body.destroy()
      await once(body, 'close')
    }))

  test('is not taken for silent while nobody reads it', () =>
    beside(async (neighbour) => {
      const { options, during } = limited()
      const timeouts = { connect: 5000, headers: 5000, silence: 50 }
      const visit = { options: { ...options, timeouts } }
      const large = await open(neighbour.serve('/large', { size }), visit)
      const small = await open(neighbour.serve('/small', { size: 20_000 }), visit)
      // Of two that fall silent the later one shows that the time is over for all that began before it.
      for (const path of ['/a', '/b']) {
        const url = neighbour.serve(path, { size: 1000, pause: { at: 10, until: forever } })
        const silent = await open(url, { options: { timeouts } })
        const { message } = await failing(buffer(silent.body), 'SOURCE_UNAVAILABLE')
        expect(message).toContain('fell silent')
      }
      expect((await during(buffer(large.body))).equals(content(size))).toBe(true)
      expect((await during(buffer(small.body))).equals(content(20_000))).toBe(true)
    }))

  test('is taken for silent when nothing comes that could be read', () =>
    beside(async (neighbour) => {
      const { options, during } = limited()
      const timeouts = { silence: 50 }
      const url = neighbour.serve('/x', { size, pause: { at: 1000, until: forever } })
      const { body } = await open(url, { options: { ...options, timeouts } })
      const { message } = await failing(during(buffer(body)), 'SOURCE_UNAVAILABLE')
      expect(message).toBe(`the source fell silent for 0.05 s after 1000 of ${size} bytes`)
    }))

  test.each(['end', 'reset'] as const)('ends with the connection (%s)', (how) =>
    beside(async (neighbour) => {
      const { options, during } = limited()
      const url = neighbour.serve('/x', { size, cut: { at: 200_000, how } })
      const { body } = await open(url, { options })
      await failing(during(buffer(body)), 'SOURCE_UNAVAILABLE')
    }),
  )

  test('is let go while it waits', () =>
    beside(async (neighbour) => {
      const { ticker, options, during } = limited()
      const aborter = new AbortController()
      const reason = new Error('enough')
      const visit = { options, signal: aborter.signal }
      const { body } = await open(neighbour.serve('/x', { size }), visit)
      await during(once(body.resume(), 'data'))
      aborter.abort(reason)
      await expect(finished(body)).rejects.toBe(reason)
      ticker.runTo(1_000_000)
    }))

  test('is a blob, too, and no manifest', () =>
    besideRegistry(async (registry) => {
      const { ticker, options, during } = limited()
      const bytes = content(size)
      registry.blob(bytes, (script) => (nth) => ({
        ...script,
        ...(nth === 1 ? { cut: { at: 150_000, how: 'end' } } : {}),
      }))
      const from = client(registry.reference(), { options })
      const part = { digest: digestOf(bytes), size }
      expect((await during(readBlob(from, part))).equals(bytes)).toBe(true)
      const sent = registry.requestsFor(part.digest).map(({ sent }) => sent)
      expect(sent).toHaveLength(2)
      expect(ticker.now()).toBeGreaterThanOrEqual(Math.floor(least(size)))
      const { digest } = registry.manifest('latest', { mediaType: 'x', layers: [] })
      expect((await from.manifest('latest', deadline())).digest).toBe(digest)
    }))
})
