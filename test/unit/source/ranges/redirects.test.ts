import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { content, forever, startNeighbour, type Seen } from '../../../support/http-neighbour.ts'
import { beside } from '../visits.ts'
import { file, openShared, part, size, Steady } from './shared.ts'

const first = { pause: { at: 3 * part, until: forever } } as const
const whole = content(size)
const section = { auth: { bearer: 'secret', headers: { 'x-key': 'secret' } } }
const secrets = ({ headers }: Seen) => [headers.authorization, headers['x-key']]

describe('the parts of a file behind a redirect', () => {
  test('are asked for where it led, each connection having asked the URL itself', async () => {
    await using mirror = await startNeighbour({ host: '127.0.0.2' })
    await beside(async (neighbour) => {
      const location = mirror.serve('/signed', (nth) => ({ ...file, ...(nth === 1 ? first : {}) }))
      const url = neighbour.serve('/x', { status: 302, headers: { location } })
      const { body } = await openShared(url, new Steady(4), { section })
      expect((await buffer(body)).equals(whole)).toBe(true)
      expect(neighbour.requests.length).toBeLessThanOrEqual(5)
      expect(mirror.requests.length).toBeGreaterThan(12)
      expect(neighbour.requests.map(secrets)).toEqual(
        neighbour.requests.map(() => ['Bearer secret', 'secret']),
      )
      expect(mirror.requests.flatMap(secrets).filter((each) => each !== undefined)).toEqual([])
    })
    await mirror.idle()
  })

  test('are asked for at the URL again when that place is there no more', () =>
    beside(async (neighbour) => {
      let valid = 0
      const url = neighbour.serve('/x', (nth) => {
        valid = nth
        return { status: 302, headers: { location: `/signed?${nth}` } }
      })
      let count = 0
      neighbour.serve('/signed', (nth, request) => {
        // Each signature is good for two requests.
        const isValid = request.url === `/signed?${valid}` && (count += 1) % 3 !== 0
        return isValid ? { ...file, ...(nth === 1 ? first : {}) } : { status: 403 }
      })
      const { body } = await openShared(url, new Steady(2))
      expect((await buffer(body)).equals(whole)).toBe(true)
      expect(neighbour.count('/x')).toBeGreaterThan(4)
    }))

  test('are not fetched from where nothing may be fetched from', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) =>
        nth === 1 ? file : { status: 302, headers: { location: 'http://169.254.169.254/x' } },
      )
      const pace = new Steady(4)
      const { body } = await openShared(url, pace)
      expect((await buffer(body)).equals(whole)).toBe(true)
      expect(pace.hasGivenUp).toBe(true)
    }))

  test('carry the credentials that the URL was given', () =>
    beside(async (neighbour) => {
      const url = neighbour.serve('/x', (nth) => ({ ...file, ...(nth === 1 ? first : {}) }))
      await buffer((await openShared(url, new Steady(4), { section })).body)
      expect(new Set(neighbour.requests.flatMap(secrets))).toEqual(
        new Set(['Bearer secret', 'secret']),
      )
    }))
})
