import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { forever, startNeighbour, type Neighbour, type Script } from '../support/http-neighbour.ts'
import { readiness, type Image } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const size = 20 * mebibyte
const bytes = disk(size)
const at = Math.floor(size * 0.9)
const whole: Script = { bytes, etag: '"1"', ranges: 'honest' }

/** The first answer falls silent in one of these ways; after a minute, or half of one, it is left. */
const rows = [
  {
    name: 'in-the-middle',
    first: { ...whole, pause: { at, until: forever } },
    said: /^the source fell silent for 60 s after \d+ of 20971520 bytes$/,
    sent: size + 1,
  },
  {
    name: 'before-the-head',
    first: { ...whole, pause: { at: 'head', until: forever } },
    said: /^the source sent no answer within 30 s for http/,
    sent: size,
  },
  {
    name: 'before-the-body',
    first: { ...whole, pause: { at: 0, until: forever } },
    said: /^the source fell silent for 60 s after 0 of 20971520 bytes$/,
    sent: size,
  },
] satisfies readonly { name: string; first: Script; said: RegExp; sent: number }[]

describe('a source that falls silent', () => {
  const resources = new AsyncDisposableStack()
  const said = new Map<string, Promise<Image>>()
  let neighbour: Neighbour
  let service: Service
  beforeAll(async () => {
    neighbour = resources.use(await startNeighbour())
    service = resources.use(await startService({ SLIPWAY_IMPORT_CONCURRENCY: '3' }))
    const { rest } = service
    for (const { name, first } of rows) {
      const url = neighbour.serve(`/${name}`, (nth) => (nth === 1 ? first : whole))
      await rest.createFrom(name, url)
      const told = rest.until(name, ({ status }) => (status.retries ?? 0) > 0, 100_000)
      told.catch(() => undefined)
      said.set(name, told)
    }
  })
  afterAll(() => resources.disposeAsync())

  test.each(rows)('$name is left, and goes on at once where it was', async (row) => {
    const told = await said.get(row.name)
    if (!told) throw new Error(`${row.name} was not begun`)
    expect(readiness(told).message).toMatch(row.said)
    const { status } = await service.rest.ready(row.name)
    expect(status.source?.sha256).toBe(digestOf(bytes).slice('sha256:'.length))
    const seen = neighbour.requests.filter(({ path }) => path === `/${row.name}`)
    expect(seen).toHaveLength(2)
    const sent = seen.reduce((sum, { sent }) => sum + sent, 0)
    // The neighbour may give out a piece before it sees that nobody is there.
    expect(sent).toBeGreaterThanOrEqual(row.sent)
    expect(sent).toBeLessThanOrEqual(row.sent + 65_536)
  })
})
