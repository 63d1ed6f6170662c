import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { content, type Script } from '../../support/http-neighbour.ts'
import { beside, failing, open, read } from './visits.ts'

const size = 200_000
const offset = 150_000
const modified = 'Tue, 03 Jun 2025 10:00:00 GMT'
const file = { size, etag: '"one"', lastModified: modified, ranges: 'honest' } as const

const partial = (range: string | null, more: Script = {}): Script => ({
  status: 206,
  size: 50_000,
  ...more,
  headers: { ...(range === null ? {} : { 'content-range': range }), ...more.headers },
})

describe('a resume', () => {
  test('asks for the rest under the version, and continues', () =>
    beside(async (neighbour) => {
      const from = { offset, version: '"one"' }
      const { body, ...opened } = await open(neighbour.serve('/disk.img', file), { from })
      expect(opened).toMatchObject({ size, offset, version: '"one"' })
      expect((await buffer(body)).equals(content(size - offset, offset))).toBe(true)
      expect(neighbour.requests[0]?.headers).toMatchObject({
        range: 'bytes=150000-',
        'if-range': '"one"',
      })
    }))

  test('keeps its condition across redirects', () =>
    beside(async (neighbour) => {
      neighbour.serve('/b', file)
      const url = neighbour.serve('/a', { status: 302, headers: { location: '/b' } })
      const opened = await open(url, { from: { offset, version: '"one"' } })
      opened.body.destroy()
      expect(opened.offset).toBe(offset)
    }))

  test('takes Last-Modified for a version', () =>
    beside(async (neighbour) => {
      const { etag: _, ...plain } = file
      const from = { offset, version: modified }
      const opened = await open(neighbour.serve('/disk.img', plain), { from })
      opened.body.destroy()
      expect(opened).toMatchObject({ offset, version: modified })
    }))

  test('starts again when the file has changed', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/disk.img', { ...file, etag: '"two"', seed: 2 })
      const { body, ...opened } = await open(url, { from: { offset, version: '"one"' } })
      expect(opened).toMatchObject({ size, offset: 0, version: '"two"' })
      expect((await buffer(body)).equals(content(size, 0, 2))).toBe(true)
    }))

  test('starts again when the source knows no ranges', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/disk.img', { size, etag: '"one"' })
      const { body, ...opened } = await open(url, { from: { offset, version: '"one"' } })
      expect(opened.offset).toBe(0)
      expect(await buffer(body)).toHaveLength(size)
    }))

  test('asks again for the whole when the range is not satisfiable', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/disk.img', { ...file, size: 100 })
      const { body, ...opened } = await open(url, { from: { offset, version: '"one"' } })
      expect(opened).toMatchObject({ size: 100, offset: 0 })
      expect(await buffer(body)).toHaveLength(100)
      expect(neighbour.requests[1]?.headers).not.toHaveProperty('range')
    }))

  test('from the first byte asks for the whole', () =>
    beside(async (neighbour) => {
      await read(neighbour.serve('/x', file), { from: { offset: 0, version: '"one"' } })
      expect(neighbour.requests[0]?.headers).not.toHaveProperty('range')
    }))

  test('that breaks tells its place in the whole file', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', { ...file, cut: { at: 10_000, how: 'end' } })
      const work = read(url, { from: { offset, version: '"one"' } })
      const { message } = await failing(work, 'SOURCE_UNAVAILABLE')
      expect(message).toBe('the source ended after 160000 of 200000 bytes')
    }))
})

describe('a 206 that does not tell enough makes it begin anew', () => {
  test.each([
    ['whose it is', partial('bytes 150000-199999/200000')],
    ['how long the whole is', partial('bytes 150000-199999/*', { etag: '"one"' })],
  ] as const)('%s', (_, script) =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) =>
        nth === 1 ? script : { ...file, ranges: 'honest' },
      )
      const from = { offset, version: '"one"' }
      const { body, offset: begins } = await open(url, { from })
      body.destroy()
      expect(begins).toBe(0)
      expect(neighbour.requests.map(({ headers }) => headers.range)).toEqual([
        `bytes=${offset}-`,
        undefined,
      ])
    }),
  )
})

describe('a 206 that lies is an outage', () => {
  test.each([
    ['starts elsewhere', { ...file, ranges: 'lying' }],
    ['has no Content-Range', partial(null)],
    ['has a Content-Range of nonsense', partial('bytes all')],
    ['ends behind the end', partial('bytes 150000-199999/199999')],
    ['ends before it starts', partial('bytes 150000-149999/200000')],
    ['has another length', partial('bytes 150000-199999/200000', { size: 49_999 })],
    ['is of another version', partial('bytes 150000-199999/200000', { etag: '"two"' })],
    [
      'is in several parts',
      partial(null, { headers: { 'content-type': 'multipart/byteranges; boundary=x' } }),
    ],
  ] as const)('%s', (_, script) =>
    beside(async (neighbour) => {
      const from = { offset, version: '"one"' }
      await failing(open(neighbour.serve('/x', script), { from }), 'SOURCE_UNAVAILABLE')
    }),
  )

  test('has more bytes than it says', () =>
    beside(async (neighbour) => {
      const script = partial('bytes 150000-199999/200000', {
        framing: 'chunked',
        size: 50_001,
        etag: '"one"',
      })
      const work = read(neighbour.serve('/x', script), { from: { offset, version: '"one"' } })
      const { message } = await failing(work, 'SOURCE_UNAVAILABLE')
      expect(message).toContain('more than its 200000 bytes')
    }))

  test('has a part of the range, as it may, and then ends early', () =>
    beside(async (neighbour) => {
      const script = partial('bytes 150000-159999/200000', { size: 10_000, etag: '"one"' })
      const work = read(neighbour.serve('/x', script), { from: { offset, version: '"one"' } })
      const { message } = await failing(work, 'SOURCE_UNAVAILABLE')
      expect(message).toBe('the source ended after 160000 of 200000 bytes')
    }))
})
