import { getEventListeners, once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { Outage } from '../../../src/errors.ts'
import { forever, startNeighbour } from '../../support/http-neighbour.ts'
import { beside, failing, open, read } from './visits.ts'

const short = (silence: number) => ({ timeouts: { connect: 5000, headers: 5000, silence } })

describe('a connection that breaks', () => {
  test('by FIN before the length says how far it came', () =>
    beside(async (neighbour) => {
      const cut = { at: 70_000, how: 'end' } as const
      const url = neighbour.serve('/disk.img', { size: 100_000, cut })
      const { message } = await failing(read(url), 'SOURCE_UNAVAILABLE')
      expect(message).toBe('the source ended after 70000 of 100000 bytes')
    }))

  test('by FIN after Connection: close says the same', () =>
    beside(async (neighbour) => {
      const cut = { at: 70_000, how: 'end' } as const
      const headers = { connection: 'close' }
      const url = neighbour.serve('/disk.img', { size: 100_000, cut, headers })
      const { message } = await failing(read(url), 'SOURCE_UNAVAILABLE')
      expect(message).toBe('the source ended after 70000 of 100000 bytes')
    }))

  test.each([
    ['with a length', undefined, {}],
    ['chunked', 'chunked', {}],
    ['chunked, to be closed', 'chunked', { connection: 'close' }],
    ['until close', 'until close', {}],
  ] as const)('by RST is an outage (%s)', (_, framing, headers) =>
    beside(async (neighbour) => {
      const arrived = Promise.withResolvers<void>()
      const url = neighbour.serve('/disk.img', {
        size: 100_000,
        headers,
        cut: { at: 10_000, how: 'reset' },
        pause: { at: 10_000, until: arrived.promise },
        ...(framing ? { framing } : {}),
      })
      const { body } = await open(url)
      body.once('data', () => arrived.resolve())
      expect(await failing(finished(body), 'SOURCE_UNAVAILABLE')).toBeInstanceOf(Outage)
    }),
  )

  test.each([{}, { connection: 'close' }])('in the middle of chunks is an outage (%j)', (headers) =>
    beside(async (neighbour) => {
      const cut = { at: 70_000, how: 'end' } as const
      const url = neighbour.serve('/x', { size: 100_000, framing: 'chunked', cut, headers })
      const { message } = await failing(read(url), 'SOURCE_UNAVAILABLE')
      expect(message).toBe('the source ended after 70000 bytes')
    }),
  )

  test.each(['end', 'reset'] as const)('before the answer is an outage (%s)', async (how) => {
    await using neighbour = await startNeighbour()
    const url = neighbour.serve('/x', (_, request) => {
      if (how === 'reset') request.socket.resetAndDestroy()
      else request.socket.end()
      return { pause: { at: 'head', until: forever } }
    })
    const { message } = await failing(open(url), 'SOURCE_UNAVAILABLE')
    expect(message).toContain('before it answered')
    expect(neighbour.count('/x')).toBe(1)
  })

  test('or never comes about is an outage', async () => {
    const neighbour = await startNeighbour()
    const url = neighbour.url('/x')
    await neighbour[Symbol.asyncDispose]()
    const { message } = await failing(open(url), 'SOURCE_UNAVAILABLE')
    expect(message).toBe(
      'no connection to 127.0.0.1: it refuses connections; check that the source is up',
    )
  })
})

describe('silence', () => {
  test('in the body is an outage', () =>
    beside(async (neighbour) => {
      const pause = { at: 1000, until: forever } as const
      const url = neighbour.serve('/disk.img', { size: 5000, pause })
      const { message } = await failing(read(url, { options: short(50) }), 'SOURCE_UNAVAILABLE')
      expect(message).toBe('the source fell silent for 0.05 s after 1000 of 5000 bytes')
    }))

  test('before the first byte of the body is an outage', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', { size: 5000, pause: { at: 0, until: forever } })
      const { message } = await failing(read(url, { options: short(50) }), 'SOURCE_UNAVAILABLE')
      expect(message).toContain('after 0 of 5000 bytes')
    }))

  test('before the headers is an outage', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', { pause: { at: 'head', until: forever } })
      const options = { timeouts: { headers: 50 } }
      const { message } = await failing(open(url, { options }), 'SOURCE_UNAVAILABLE')
      expect(message).toBe(`the source sent no answer within 0.05 s for ${url}`)
    }))
})

describe('an abort', () => {
  const reason = new Error('shutting down')

  test('before the start opens nothing', () =>
    beside(async (neighbour) => {
      const signal = AbortSignal.abort(reason)
      const url = neighbour.serve('/x', { size: 1 })
      await expect(open(url, { signal })).rejects.toBe(reason)
      expect(neighbour.connections).toBe(0)
    }))

  test('before the headers rejects with its reason and closes the connection', () =>
    beside(async (neighbour) => {
      const aborter = new AbortController()
      const url = neighbour.serve('/x', () => {
        aborter.abort(reason)
        return { pause: { at: 'head', until: forever } }
      })
      await expect(open(url, { signal: aborter.signal })).rejects.toBe(reason)
    }))

  test('in the body destroys it with its reason and closes the connection', () =>
    beside(async (neighbour) => {
      const aborter = new AbortController()
      const url = neighbour.serve('/x', { size: 5000, pause: { at: 1000, until: forever } })
      const { body } = await open(url, { signal: aborter.signal })
      body.once('data', () => aborter.abort(reason))
      await expect(finished(body)).rejects.toBe(reason)
      await neighbour.idle()
    }))

  test('with a reason that is no error still destroys the body', () =>
    beside(async (neighbour) => {
      const aborter = new AbortController()
      const url = neighbour.serve('/x', { size: 5000, pause: { at: 1000, until: forever } })
      const { body } = await open(url, { signal: aborter.signal })
      aborter.abort('enough')
      await expect(finished(body)).rejects.toThrow('aborted')
    }))

  test('after the end changes nothing', () =>
    beside(async (neighbour) => {
      const aborter = new AbortController()
      const url = neighbour.serve('/x', { size: 10 })
      const { body } = await open(url, { signal: aborter.signal })
      expect(await buffer(body)).toHaveLength(10)
      aborter.abort(reason)
      expect(body.errored).toBeNull()
    }))

  test('is not waited for by what is done', () =>
    beside(async (neighbour) => {
      const { signal } = new AbortController()
      neighbour.serve('/x', { size: 10 })
      const url = neighbour.serve('/a', { status: 302, headers: { location: '/x' } })
      await read(url, { signal })
      await failing(open(neighbour.url('/none'), { signal }), 'SOURCE_REFUSED')
      expect(getEventListeners(signal, 'abort')).toEqual([])
    }))

  test('or a body that is let go closes the connection', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', { size: 100_000_000 })
      const { body } = await open(url)
      body.destroy()
      await once(body, 'close')
      await neighbour.idle()
    }))
})
