import { createServer, type Server } from 'node:net'
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { qcow2 } from '../fixtures/qcow2.ts'
import { disk, mebibyte } from '../support/disks.ts'
import {
  forever,
  startNeighbour,
  type Neighbour,
  type Play,
  type Script,
} from '../support/http-neighbour.ts'
import { expectNothing } from '../support/leftovers.ts'
import { readiness, type Image } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

/** What each fault of a source costs, in bytes that it had to send. */
type Row = {
  readonly what: string
  readonly play: (arrived: Promise<unknown>) => Play
  readonly requests: number | readonly [number, number]
  /** Bytes that were sent: so many, or between two numbers. */
  readonly moved: number | readonly [number, number]
  /** What the image is made of in the end; null when it fails. */
  readonly file: Buffer | null
  readonly message?: RegExp
}

const size = 4 * mebibyte
const bytes = disk(size)
const at = Math.floor(size * 0.9)
const etag = '"1"'
const whole: Script = { bytes, etag, ranges: 'honest' }
/** What was taken is kept, and its last byte is asked for again. */
const goesOn = size + 1
const again = at + size
const packed = gzipSync(bytes, { level: 1 })
const short = disk(mebibyte, 7)
const noted = qcow2({ version: 3 })

/** The nth answer, the last one from then on. */
const inTurn =
  (...scripts: readonly Script[]): Play =>
  (nth) =>
    scripts[Math.min(nth, scripts.length) - 1] ?? {}

/** Breaks off once all that was sent has arrived, so that what is in flight costs nothing here. */
const broken = (arrived: Promise<unknown>, how: 'end' | 'reset', more: Script = whole): Script => ({
  ...more,
  pause: { at, until: arrived },
  cut: { at, how },
})

const rows: readonly Row[] = [
  {
    what: 'resets the connection',
    play: (arrived) => inTurn(broken(arrived, 'reset'), whole),
    requests: 2,
    moved: goesOn,
    file: bytes,
  },
  {
    what: 'sends fewer bytes than its length',
    play: () =>
      inTurn(
        {
          ...whole,
          headers: { 'content-length': `${size + 1000}` },
          cut: { at: size, how: 'end' },
        },
        whole,
      ),
    // One of its two lengths is not that of this file.
    requests: 3,
    moved: goesOn + size,
    file: bytes,
  },
  {
    what: 'tells no length and breaks off in a chunk',
    play: (arrived) => inTurn(broken(arrived, 'end', { ...whole, framing: 'chunked' }), whole),
    requests: 2,
    moved: goesOn,
    file: bytes,
  },
  {
    what: 'tells no length and resets the connection',
    play: (arrived) =>
      inTurn(broken(arrived, 'reset', { ...whole, framing: 'until close' }), whole),
    requests: 2,
    moved: goesOn,
    file: bytes,
  },
  {
    what: 'tells no length and ends where the image does not',
    play: () => ({
      bytes: noted,
      framing: 'until close',
      cut: { at: noted.length - 66_000, how: 'end' },
    }),
    requests: 1,
    moved: noted.length - 66_000,
    file: null,
    message: /cut short|ends|outside|beyond|behind/,
  },
  {
    what: 'gives each answer another ETag',
    play: (arrived) => (nth) => ({
      ...(nth === 1 ? broken(arrived, 'end') : whole),
      etag: `"${nth}"`,
    }),
    requests: 2,
    moved: again,
    file: bytes,
  },
  {
    what: 'has a weak ETag alone',
    play: (arrived) => {
      const weak = { ...whole, etag: 'W/"1"' }
      return inTurn(broken(arrived, 'end', weak), weak)
    },
    requests: 2,
    moved: again,
    file: bytes,
  },
  {
    what: 'changes to a shorter file under the same ETag',
    play: (arrived) => inTurn(broken(arrived, 'end'), { ...whole, bytes: short }),
    requests: 3,
    moved: at + short.length,
    file: short,
  },
  {
    what: 'answers ranges with other bytes, always',
    play: (arrived) => inTurn(broken(arrived, 'end'), { ...whole, ranges: 'lying' }),
    requests: [3, 6],
    moved: [at, at + 5 * (size - at + 2)],
    file: null,
    message: /^the source was asked for its bytes from \d+ and answered 206 with others/,
  },
  {
    what: 'answers a range with other bytes, once',
    play: (arrived) => inTurn(broken(arrived, 'end'), { ...whole, ranges: 'lying' }, whole),
    requests: 3,
    moved: [goesOn, goesOn + size - at + 2],
    file: bytes,
  },
  {
    what: 'redirects in a circle',
    play: () => ({ status: 302, headers: { location: '?' } }),
    requests: 11,
    moved: 0,
    file: null,
    message: /^the source redirects more than 10 times, last to .+; check the URL$/,
  },
  {
    what: 'asks for patience with 429 in the middle',
    play: (arrived) => {
      const busy = { status: 429, headers: { 'retry-after': '1' } }
      return inTurn(broken(arrived, 'end'), busy, whole)
    },
    requests: 3,
    moved: goesOn,
    file: bytes,
  },
  {
    what: 'compresses in spite of identity, and breaks off',
    play: () => {
      const gzipped = { ...whole, bytes: packed, headers: { 'content-encoding': 'gzip' } }
      const half = Math.floor(packed.length / 2)
      return inTurn({ ...gzipped, cut: { at: half, how: 'end' } }, gzipped)
    },
    requests: 2,
    // What has arrived and is still in a buffer goes with the connection.
    moved: [packed.length + 1, packed.length + mebibyte],
    file: packed,
  },
  {
    what: 'compresses in a way that was not asked for',
    play: () => ({
      ...whole,
      headers: { 'content-encoding': 'br' },
      pause: { at: 0, until: forever },
    }),
    requests: 1,
    // The neighbour may give out a piece before it sees that nobody is there.
    moved: [0, 65_536],
    file: null,
    message: /in a content coding that was not asked for; ask its operator for identity$/,
  },
]

/** Of its image, and of its path. */
const nameOf = (row: Row) => `fault-${rows.indexOf(row)}`
const between = (bounds: number | readonly [number, number]) =>
  typeof bounds === 'number' ? ([bounds, bounds] as const) : bounds

describe('a source that', () => {
  const resources = new AsyncDisposableStack()
  const ends = new Map<string, Promise<Image>>()
  let neighbour: Neighbour
  let service: Service

  beforeAll(async () => {
    neighbour = resources.use(await startNeighbour())
    service = resources.use(
      await startService({ SLIPWAY_IMPORT_RETRY_FOR: '5s', SLIPWAY_IMPORT_CONCURRENCY: '20' }),
    )
    // All at once: most of the time is waited.
    for (const row of rows) {
      const end = brought(nameOf(row), row)
      end.catch(() => undefined)
      ends.set(nameOf(row), end)
    }
  })
  afterAll(async () => {
    for (const name of await service.rest.names()) await service.rest.delete(name)
    await expectNothing(service.folder)
    await neighbour.idle()
    await resources.disposeAsync()
  })

  /** The image when it is Ready or Failed. */
  async function brought(name: string, { play }: Row): Promise<Image> {
    const arrived = Promise.withResolvers<void>()
    await service.rest.createFrom(name, neighbour.serve(`/${name}`, play(arrived.promise)))
    return await service.rest.until(name, ({ status }) => {
      if (Number(status.receivedBytes ?? 0) >= at) arrived.resolve()
      return status.phase === 'Ready' || status.phase === 'Failed'
    })
  }

  test.each(rows)('$what', async (row) => {
    const { requests, moved, file, message } = row
    const name = nameOf(row)
    const image = await ends.get(name)
    if (!image) throw new Error(`${name} was not begun`)
    if (message) expect(readiness(image).message).toMatch(message)
    expect(image.status.phase, readiness(image).message).toBe(file ? 'Ready' : 'Failed')
    if (file) {
      const sha256 = digestOf(file).slice('sha256:'.length)
      expect(image.status.source).toMatchObject({ bytes: String(file.length), sha256 })
    }
    const seen = neighbour.requests.filter(({ path }) => path.split('?')[0] === `/${name}`)
    const sent = seen.reduce((sum, { sent }) => sum + sent, 0)
    for (const [found, [least, most]] of [
      [seen.length, between(requests)],
      [sent, between(moved)],
    ] as const) {
      expect(found).toBeGreaterThanOrEqual(least)
      expect(found).toBeLessThanOrEqual(most)
    }
  })

  test('is slow with its first byte is waited for', async () => {
    const { rest } = service
    const asked = Promise.withResolvers<void>()
    const awake = Promise.withResolvers<void>()
    const url = neighbour.serve('/slow', () => {
      asked.resolve()
      return { ...whole, pause: { at: 'head', until: awake.promise } }
    })
    await rest.createFrom('slow', url)
    await asked.promise
    expect((await rest.image('slow')).status).toMatchObject({ phase: 'Provisioning' })
    awake.resolve()
    await rest.ready('slow')
    expect(neighbour.count('/slow')).toBe(1)
  })

  test('speaks HTTP/1.0 is understood', async () => {
    const { rest } = service
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.write('HTTP/1.0 200 OK\r\n\r\n', () => socket.end(bytes)))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await rest.createFrom('old', `http://127.0.0.1:${portOf(server)}/disk.img`)
    const { status } = await rest.ready('old')
    expect(status.source?.bytes).toBe(String(size))
    server.close()
  })
})

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}
