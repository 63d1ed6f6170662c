import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { Flaw, Outage } from '../../../../src/errors.ts'
import { digestOf } from '../../../../src/image/digest.ts'
import type { Break } from '../../../../src/source/registry/patience.ts'
import type { Held } from '../../../../src/source/registry/registry.ts'
import { lies, type HostileRegistry, type Lie } from '../../../support/hostile-registry.ts'
import { content, forever, startNeighbour } from '../../../support/http-neighbour.ts'
import { deadline, failing } from '../visits.ts'
import { besideRegistry, client, impatient, readBlob, type Pull } from './pulls.ts'

const size = 600_000
const bytes = content(size)
const part = { digest: digestOf(bytes), size }

const read = (registry: HostileRegistry, offset = 0, pull: Pull = {}) =>
  readBlob(client(registry.reference(), pull), part, offset)

/** Runs beside a registry that tells a lie about the one blob. */
const lied = (lie: Lie, run: (registry: HostileRegistry) => Promise<unknown>) =>
  besideRegistry(async (registry) => {
    registry.blob(bytes, lie)
    await run(registry)
  })

const honest: Lie = (script) => script
const rangesOf = (registry: HostileRegistry) =>
  registry.requestsFor(part.digest).map(({ headers }) => headers.range ?? null)
const sentOf = (registry: HostileRegistry) =>
  registry.requestsFor(part.digest).map(({ sent }) => sent)

describe('a blob', () => {
  test('comes whole', () =>
    lied(honest, async (registry) => {
      expect((await read(registry)).equals(bytes)).toBe(true)
      expect(rangesOf(registry)).toEqual([null])
    }))

  test('comes from an offset on', () =>
    lied(honest, async (registry) => {
      expect((await read(registry, 100_001)).equals(bytes.subarray(100_001))).toBe(true)
      expect(rangesOf(registry)).toEqual(['bytes=100001-'])
      expect(sentOf(registry)).toEqual([size - 100_001])
    }))

  test('at its end has nothing to be asked for', () =>
    lied(honest, async (registry) => {
      expect(await read(registry, size)).toHaveLength(0)
      expect(registry.requests).toEqual([])
    }))

  test('that is empty is empty', async () => {
    const nothing = { digest: digestOf(Buffer.alloc(0)), size: 0 }
    expect(await readBlob(client('127.0.0.1:1/a'), nothing)).toHaveLength(0)
  })

  test('needs no length', () =>
    lied(
      (script) => ({ ...script, framing: 'chunked' }),
      async (registry) => expect((await read(registry)).equals(bytes)).toBe(true),
    ))

  test('from an offset on where the registry knows no ranges is read from its start', () =>
    lied(
      ({ bytes = Buffer.alloc(0) }) => ({ bytes }),
      async (registry) => {
        expect((await read(registry, 100_001)).equals(bytes.subarray(100_001))).toBe(true)
        expect(sentOf(registry)).toEqual([size])
      },
    ))

  test('behind a redirect comes without what the registry was shown', () =>
    besideRegistry(async (registry) => {
      await using other = await startNeighbour()
      const url = other.serve('/cdn', { bytes, ranges: 'honest' })
      registry.blob(bytes, lies.redirect(`${url}?signature=secret`))
      registry.demandToken()
      expect((await read(registry, 5)).equals(bytes.subarray(5))).toBe(true)
      expect(other.requests).toMatchObject([
        { path: '/cdn?signature=secret', headers: { range: 'bytes=5-' } },
      ])
      expect(JSON.stringify(other.requests[0]?.headers)).not.toMatch(/authorization|secret/)
    }))

  test('is not fetched faster than it is read', () =>
    besideRegistry(async (registry) => {
      const large = Buffer.alloc(64 * 1024 * 1024)
      const { digest } = registry.blob(large)
      const blob = { digest, size: large.length }
      const body = await client(registry.reference()).blob(blob, 0, deadline())
      await once(body, 'readable')
      body.destroy()
      await registry.neighbour.idle()
      expect(registry.requests[0]?.sent).toBeLessThan(large.length / 4)
    }))
})

describe('a blob that breaks', () => {
  test.each(['end', 'reset'] as const)('goes on where it broke (%s)', (how) =>
    lied(
      (script) => (nth) => {
        if (nth > 1) return script
        return { ...script, cut: { at: 70_000, how } }
      },
      async (registry) => {
        expect((await read(registry)).equals(bytes)).toBe(true)
        const [first, second, ...more] = rangesOf(registry)
        expect([first, more]).toEqual([null, []])
        const from = Number(/^bytes=(\d+)-$/.exec(second ?? '')?.[1])
        expect(from).toBeLessThanOrEqual(70_000)
        expect(sentOf(registry)).toEqual([70_000, size - from])
        if (how === 'end') expect(from).toBe(70_000)
      },
    ),
  )

  test('again and again goes on as long as something comes', () =>
    lied(lies.cutAlways(75_000), async (registry) => {
      const { pauses, pause } = impatient()
      expect((await read(registry, 0, { options: { pause } })).equals(bytes)).toBe(true)
      expect(sentOf(registry)).toEqual(Array.from({ length: 8 }, () => 75_000))
      // The last one breaks with the last byte, and there is nothing left to wait for.
      expect(pauses).toHaveLength(7)
      for (const pause of pauses) expect(pause).toBeLessThanOrEqual(1000)
    }))

  test('is tried five times more when nothing comes, ever more patiently', () =>
    lied(
      (script) => (nth) =>
        nth === 1 ? { ...script, cut: { at: 1000, how: 'end' } } : { status: 503 },
      async (registry) => {
        const { pauses, pause } = impatient()
        const work = read(registry, 0, { options: { pause } })
        expect(await failing(work, 'SOURCE_UNAVAILABLE')).toBeInstanceOf(Outage)
        expect(rangesOf(registry)).toEqual([null, ...Array(5).fill('bytes=1000-')])
        const longest = [1000, 2000, 4000, 8000, 16_000]
        expect(pauses).toHaveLength(5)
        for (const [at, pause] of pauses.entries()) {
          expect(pause).toBeLessThanOrEqual(longest[at] ?? 0)
          expect(pause).toBeGreaterThanOrEqual((longest[at] ?? 0) / 2)
        }
      },
    ))

  test.each([
    [7, 7000],
    [3600, 60_000],
  ])('waits as Retry-After asks, within bounds (%i s)', (seconds, milliseconds) =>
    lied(lies.busy(1, seconds), async (registry) => {
      const { pauses, pause } = impatient()
      expect((await read(registry, 0, { options: { pause } })).equals(bytes)).toBe(true)
      expect(pauses).toEqual([milliseconds])
    }),
  )

  test('goes on from its start where the registry knows no ranges', () =>
    lied(lies.cutWithoutRanges(70_000), async (registry) => {
      expect((await read(registry)).equals(bytes)).toBe(true)
      expect(sentOf(registry)).toEqual([70_000, size])
    }))

  test('is not read from its start without end', () =>
    lied(
      ({ bytes = Buffer.alloc(0) }) =>
        (nth) => ({ bytes, cut: { at: 70_000 * nth, how: 'end' } }),
      async (registry) => {
        const { message } = await failing(read(registry), 'SOURCE_UNAVAILABLE')
        expect(message).toContain('the registry knows no ranges')
        expect(registry.requestsFor(part.digest).length).toBeLessThan(15)
      },
    ))

  test('that comes a byte a connection is given up', () =>
    lied(
      (script) => () => ({ ...script, cut: { at: 1, how: 'end' } }),
      async (registry) => {
        await failing(read(registry), 'SOURCE_UNAVAILABLE')
        expect(registry.requestsFor(part.digest)).toHaveLength(6)
      },
    ))

  test('fails where ranges are not those that were asked for', () =>
    lied(lies.cutThenLying(70_000), async (registry) => {
      const { message } = await failing(read(registry), 'SOURCE_UNAVAILABLE')
      expect(message).toContain('answered 206 with others')
      expect(rangesOf(registry)).toHaveLength(6)
    }))

  test('gets a fresh token where the old one has ended', () =>
    besideRegistry(async (registry) => {
      registry.demandToken({ token: 'first' })
      registry.blob(bytes, (script) => (nth) => {
        if (nth > 1) return script
        registry.demandToken({ token: 'second' })
        return { ...script, cut: { at: 70_000, how: 'end' } }
      })
      expect((await read(registry)).equals(bytes)).toBe(true)
      const shown = registry.requestsFor(part.digest).map(({ headers }) => headers.authorization)
      expect(shown).toEqual([undefined, 'Bearer first', 'Bearer first', 'Bearer second'])
    }))

  test('and then is gone is refused at once', () =>
    lied(
      (script) => (nth) =>
        nth === 1 ? { ...script, cut: { at: 1000, how: 'end' } } : { status: 404 },
      async (registry) => {
        const { message } = await failing(read(registry), 'SOURCE_REFUSED')
        expect(message).toContain(`does not have the blob ${part.digest}`)
        expect(rangesOf(registry)).toHaveLength(2)
      },
    ))
})

describe('a blob that is here in part', () => {
  const here = (start: number, end: number, from = bytes) => ({
    start,
    end,
    read: async (offset: number, length: number) =>
      from.subarray(start + offset, Math.min(start + offset + length, end)),
  })
  const readBeside = async (registry: HostileRegistry, held: Held) =>
    await buffer(await client(registry.reference()).blob(part, 0, deadline(), { held }))

  test.each([
    ['in its middle', 1536, 500_000, ['bytes=0-1535', 'bytes=500000-'], [1536, 100_000]],
    ['at its start', 0, 500_000, ['bytes=500000-'], [100_000]],
    ['at its end', 1536, size, ['bytes=0-1535'], [1536]],
    ['whole', 0, size, [], []],
  ])('%s is fetched where it is not', (_, start, end, ranges, sent) =>
    lied(honest, async (registry) => {
      expect((await readBeside(registry, here(start, end))).equals(bytes)).toBe(true)
      expect(rangesOf(registry)).toEqual(ranges)
      expect(sentOf(registry)).toEqual(sent)
    }),
  )

  test('is given as it is here, not as it is there', () =>
    lied(honest, async (registry) => {
      const other = Buffer.alloc(size, 7)
      const read = await readBeside(registry, here(10, 20, other))
      expect(read.equals(Buffer.from(bytes).fill(7, 10, 20))).toBe(true)
    }))

  test('goes on where it breaks, in front of that part and behind it', () =>
    lied(
      (script) => (nth) =>
        nth === 1 || nth === 3 ? { ...script, cut: { at: 700, how: 'end' } } : script,
      async (registry) => {
        expect((await readBeside(registry, here(1536, 500_000))).equals(bytes)).toBe(true)
        const asked = ['bytes=0-1535', 'bytes=700-1535', 'bytes=500000-', 'bytes=500700-']
        expect(rangesOf(registry)).toEqual(asked)
      },
    ))

  test('comes whole from a registry that knows no ranges', () =>
    lied(
      ({ bytes = Buffer.alloc(0) }) => ({ bytes }),
      async (registry) => {
        expect((await readBeside(registry, here(1536, 500_000))).equals(bytes)).toBe(true)
      },
    ))

  test('fails when less of it is here than was said', () =>
    lied(honest, async (registry) => {
      const read = readBeside(registry, { ...here(10, 20), read: async () => Buffer.alloc(0) })
      await failing(read, 'INTERNAL')
    }))

  test('tells its reader of each break, and how much would be lost', () =>
    lied(
      (script) => (nth) =>
        nth < 4 ? { ...script, cut: { at: 100_000 * (nth % 3), how: 'end' } } : script,
      async (registry) => {
        const told: (readonly [number, number])[] = []
        const patience = async ({ times, lost }: Break) => void told.push([times, lost])
        const body = client(registry.reference()).blob(part, 0, deadline(), { patience })
        expect((await buffer(await body)).equals(bytes)).toBe(true)
        expect(told).toEqual([
          [1, 100_000],
          [1, 300_000],
          [2, 300_000],
        ])
      },
    ))

  test('is given up when its reader says so', () =>
    lied(lies.cutAlways(1000), async (registry) => {
      const patience = ({ failure }: Break) => Promise.reject(failure)
      const body = await client(registry.reference()).blob(part, 0, deadline(), { patience })
      await failing(buffer(body), 'SOURCE_UNAVAILABLE')
      expect(rangesOf(registry)).toEqual([null])
    }))
})

describe('a blob of another length', () => {
  test.each([
    ['longer', lies.longer, `${size + 1} bytes, its manifest ${size}`],
    ['shorter', lies.shorter, `${size - 1} bytes, its manifest ${size}`],
    ['longer in chunks', lies.longerInChunks, `more bytes, its manifest ${size}`],
  ] as const)('is a lie (%s)', (_, lie, told) =>
    lied(lie, async (registry) => {
      const failure = await failing(read(registry), 'INVALID_OCI')
      expect(failure).toBeInstanceOf(Flaw)
      expect(failure.message).toContain(`the registry says the blob ${part.digest} has ${told}`)
      expect(rangesOf(registry)).toHaveLength(1)
    }),
  )

  test('is a lie when it is shorter in chunks, once the rest is asked for', () =>
    lied(
      (script) => ({ ...lies.shorter(script), framing: 'chunked' }),
      async (registry) => {
        const { message } = await failing(read(registry), 'INVALID_OCI')
        expect(message).toContain(`has no bytes from ${size - 1} on`)
      },
    ))

  test('is a lie from an offset on, too', () =>
    lied(lies.longer, (registry) => failing(read(registry, 10), 'INVALID_OCI')))

  test('that never ends is left soon after it should', () =>
    lied(lies.endless, async (registry) => {
      await failing(read(registry), 'INVALID_OCI')
      await registry.neighbour.idle()
      expect(sentOf(registry)[0]).toBeLessThan(size + 16 * 1024 * 1024)
    }))
})

describe('a blob that cannot be had', () => {
  test.each([
    ['not there', { status: 404 }, 'SOURCE_REFUSED'],
    ['forbidden', { status: 403 }, 'SOURCE_REFUSED'],
    ['in a coding', { size, headers: { 'content-encoding': 'gzip' } }, 'SOURCE_REFUSED'],
    ['elsewhere', lies.redirect('http://169.254.169.254/')({}), 'SOURCE_FORBIDDEN'],
    ['in a loop', lies.redirect(`/v2/team/image/blobs/${part.digest}`)({}), 'SOURCE_REFUSED'],
  ] as const)('fails before there is a stream: %s', (_, script, code) =>
    lied(
      () => script,
      async (registry) => {
        const work = client(registry.reference()).blob(part, 0, deadline())
        await failing(work, code)
      },
    ),
  )

  test('because it fell silent is asked for once more', () =>
    lied(
      (script) => (nth) => (nth === 1 ? { ...script, pause: { at: 0, until: forever } } : script),
      async (registry) => {
        const options = { timeouts: { silence: 20 } }
        expect((await read(registry, 0, { options })).equals(bytes)).toBe(true)
        expect(rangesOf(registry)).toEqual([null, null])
      },
    ))
})

describe('an abort', () => {
  const reason = new Error('enough')
  const stalling: Lie = (script) => ({ ...script, pause: { at: 1000, until: forever } })

  test('before the start asks for nothing', () =>
    lied(honest, async (registry) => {
      const work = client(registry.reference()).blob(part, 0, AbortSignal.abort(reason))
      await expect(work).rejects.toBe(reason)
      expect(registry.requests).toEqual([])
    }))

  test('before the first byte rejects with its reason', () =>
    besideRegistry(async (registry) => {
      const aborter = new AbortController()
      registry.blob(bytes, () => () => {
        aborter.abort(reason)
        return { pause: { at: 'head', until: forever } }
      })
      const work = client(registry.reference()).blob(part, 0, aborter.signal)
      await expect(work).rejects.toBe(reason)
    }))

  test('in the middle destroys the stream with its reason and closes the connection', () =>
    lied(stalling, async (registry) => {
      const aborter = new AbortController()
      const body = await client(registry.reference()).blob(part, 0, aborter.signal)
      aborter.abort(reason)
      await expect(finished(body)).rejects.toBe(reason)
      await registry.neighbour.idle()
    }))

  test('between two tries ends the wait', () =>
    lied(lies.cutAlways(0), async (registry) => {
      const aborter = new AbortController()
      const pause = (_: number, signal: AbortSignal) => {
        const aborted = once(signal, 'abort').then(() => signal.throwIfAborted())
        aborter.abort(reason)
        return aborted
      }
      const work = client(registry.reference(), { options: { pause } })
      await expect(work.blob(part, 0, aborter.signal)).rejects.toBe(reason)
      expect(rangesOf(registry)).toHaveLength(1)
    }))

  test('is real in a real wait', () =>
    lied(lies.busy(1, 30), async (registry) => {
      const { pause: real } = await import('../../../../src/source/registry/patience.ts')
      const aborter = new AbortController()
      const pause = (milliseconds: number, signal: AbortSignal) => {
        const waited = real(milliseconds, signal)
        aborter.abort(reason)
        return waited
      }
      const work = client(registry.reference(), { options: { pause } })
      await expect(work.blob(part, 0, aborter.signal)).rejects.toBe(reason)
    }))

  test('of a reader that goes away closes the connection at once', () =>
    lied(stalling, async (registry) => {
      const body = await client(registry.reference()).blob(part, 0, deadline())
      body.destroy()
      await registry.neighbour.idle()
      expect(rangesOf(registry)).toHaveLength(1)
    }))
})
