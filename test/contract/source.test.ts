import { buffer } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { describe, expect, test } from 'vitest'
import { Outage, Refusal } from '../../src/errors.ts'
import { digestOf } from '../../src/image/digest.ts'
import type { SourceType } from '../../src/image/data-source.ts'
import { compileRules } from '../../src/source/address-rules.ts'
import { sources } from '../../src/source/table.ts'
import { content, forever, startNeighbour, type Neighbour } from '../support/http-neighbour.ts'

/** What every source promises (src/source/source.ts), tried on each line of the table. */

const size = 300_000
const table = sources({
  rules: compileRules({ deny: [], allow: ['127.0.0.0/8'] }),
  userAgent: 'slipway/test',
  insecureRegistries: [],
  maxLayer: size,
  own: () => null,
  pause: () => Promise.resolve(),
})

type Ending = 'whole' | 'broken' | 'stalled' | 'missing'

/** For each kind: a section that points at bytes of the neighbour which end in a certain way, with a secret in it. */
const sections: Record<keyof typeof table, (neighbour: Neighbour, ending: Ending) => unknown> = {
  HTTP: (neighbour, ending) => {
    const url = neighbour.serve('/disk.img', {
      size,
      etag: '"1"',
      ranges: 'honest',
      ...(ending === 'missing' ? { status: 404 } : {}),
      ...(ending === 'broken' ? { cut: { at: 100_000, how: 'end' } } : {}),
      ...(ending === 'stalled' ? { pause: { at: 100_000, until: forever } } : {}),
    })
    return { url: `${url.replace('//', '//user:secret@')}?token=secret` }
  },
  ContainerImage: (neighbour, ending) => {
    const layer = { mediaType: 'application/octet-stream', size, digest: digestOf(content(size)) }
    const empty = Buffer.from('{}')
    const config = {
      mediaType: 'application/vnd.oci.empty.v1+json',
      size: empty.length,
      digest: digestOf(empty),
    }
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    const manifest = { schemaVersion: 2, mediaType, config, layers: [layer] }
    const url = neighbour.serve('/v2/team/disk/manifests/1', {
      bytes: Buffer.from(JSON.stringify(manifest)),
      headers: { 'content-type': mediaType },
      ...(ending === 'missing' ? { status: 404 } : {}),
    })
    neighbour.serve(`/v2/team/disk/blobs/${layer.digest}`, {
      size,
      ...(ending === 'broken' ? { cut: { at: 100_000, how: 'end' } } : {}),
      ...(ending === 'stalled' ? { pause: { at: 100_000, until: forever } } : {}),
    })
    return {
      image: `${new URL(url).host}/team/disk:1`,
      auth: { username: 'user', password: 'secret' },
    }
  },
}

/** Those that grant a resume; the others begin again. */
const resuming: ReadonlySet<string> = new Set(['HTTP'])

const kinds = Object.keys(table).filter(
  (kind): kind is keyof typeof table & SourceType => kind in sections,
)

const signal = () => AbortSignal.timeout(10_000)

describe.each(kinds)('%s', (kind) => {
  async function beside(ending: Ending, run: (place: ReturnType<typeof at>) => Promise<void>) {
    await using neighbour = await startNeighbour()
    await run(at(neighbour, ending))
    await neighbour.idle()
  }
  const at = (neighbour: Neighbour, ending: Ending) =>
    table[kind].at(sections[kind](neighbour, ending))

  test('opens nothing before it is asked to', async () => {
    await using neighbour = await startNeighbour()
    at(neighbour, 'whole')
    expect(neighbour.connections).toBe(0)
  })

  test('refuses a section that is none', () => {
    const refused = expect.objectContaining({ code: 'INVALID_REQUEST' })
    for (const section of [null, {}, 'x', []]) {
      expect(() => table[kind].at(section)).toThrow(refused)
    }
  })

  test('shows no secrets', () =>
    beside('whole', async (place) => {
      const { body, facts } = await place.open(null, signal())
      body.destroy()
      expect(place.label + JSON.stringify(facts)).not.toContain('secret')
    }))

  test('gives all bytes, and the same ones each time', () =>
    beside('whole', async (place) => {
      const first = await place.open(null, signal())
      const bytes = await buffer(first.body)
      expect(bytes.equals(content(size))).toBe(true)
      const second = await place.open(null, signal())
      expect((await buffer(second.body)).equals(bytes)).toBe(true)
      expect([second.version, second.size, second.offset]).toEqual([first.version, size, 0])
    }))

  test('counts the bytes that come', () =>
    beside('whole', async (place) => {
      const heard = { total: 0, sum: 0 }
      const tally = {
        expect: (total: number | null) => void (heard.total = total ?? 0),
        add: (bytes: number) => void (heard.sum += bytes),
      }
      await buffer((await place.open(null, signal(), tally)).body)
      expect(heard).toEqual({ total: size, sum: size })
    }))

  test('continues where an opening of the same version stopped', () =>
    beside('whole', async (place) => {
      const { body, version } = await place.open(null, signal())
      body.destroy()
      const rest = await place.open({ offset: 123_456, version: version ?? '' }, signal())
      const offset = resuming.has(kind) ? 123_456 : 0
      expect([rest.offset, rest.size, rest.version]).toEqual([offset, size, version])
      expect((await buffer(rest.body)).equals(content(size - offset, offset))).toBe(true)
    }))

  test('starts again when the version is another', () =>
    beside('whole', async (place) => {
      const opened = await place.open({ offset: 123_456, version: '"other"' }, signal())
      expect(opened.offset).toBe(0)
      expect((await buffer(opened.body)).equals(content(size))).toBe(true)
    }))

  test('fails with an Outage when the bytes end early', () =>
    beside('broken', async (place) => {
      const { body } = await place.open(null, signal())
      await expect(buffer(body)).rejects.toBeInstanceOf(Outage)
    }))

  test('fails with a Refusal when there is nothing', () =>
    beside('missing', async (place) => {
      await expect(place.open(null, signal())).rejects.toBeInstanceOf(Refusal)
    }))

  test('stops with the reason of an abort', () =>
    beside('stalled', async (place) => {
      const aborter = new AbortController()
      const reason = new Error('shutting down')
      const { body } = await place.open(null, aborter.signal)
      body.once('data', () => aborter.abort(reason))
      await expect(finished(body)).rejects.toBe(reason)
    }))
})
