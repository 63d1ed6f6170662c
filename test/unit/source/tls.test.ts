import { rootCertificates } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import { trustOf } from '../../../src/source/trust.ts'
import { content, startNeighbour } from '../../support/http-neighbour.ts'
import { needs } from '../../support/programs.ts'
import { certify, type Certificates } from './certificates.ts'
import { beside, failing, open, read } from './visits.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const lookup = async () => [{ address: '127.0.0.1' }]

describe.skipIf(!needs('openssl', 'apt-get install openssl'))('a source over TLS', () => {
  let tls: Certificates

  beforeAll(async () => {
    tls = await certify('DNS:mirror.example', 'IP:127.0.0.1')
  })

  test('is trusted by its caBundle, under its name and its address', () =>
    beside(
      async (neighbour) => {
        const section = { caBundle: base64(tls.ca) }
        const byAddress = neighbour.serve('/x', { size: 70_000 })
        const byName = neighbour.url('/x', 'mirror.example')
        expect((await read(byAddress, { section })).equals(content(70_000))).toBe(true)
        expect(await read(byName, { section, options: { lookup } })).toHaveLength(70_000)
      },
      { tls },
    ))

  test('is refused without it, and nothing is asked for', () =>
    beside(
      async (neighbour) => {
        const { message } = await failing(open(neighbour.serve('/x', {})), 'SOURCE_REFUSED')
        expect(message).toMatch(/^the certificate of 127.0.0.1 is not trusted .* as caBundle$/)
        expect(neighbour.requests).toEqual([])
      },
      { tls },
    ))

  test('is refused under a name that its certificate does not hold', () =>
    beside(
      async (neighbour) => {
        const section = { caBundle: base64(tls.ca) }
        const url = neighbour.url('/x', 'other.example')
        const work = open(url, { section, options: { lookup } })
        const { message } = await failing(work, 'SOURCE_REFUSED')
        expect(message).toBe('the certificate of other.example is for another name; check the URL')
      },
      { tls },
    ))

  test('is taken unseen when the section says so', () =>
    beside(
      async (neighbour) => {
        const section = { insecureSkipTLSVerify: true }
        expect(await read(neighbour.serve('/x', { size: 9 }), { section })).toEqual(content(9))
      },
      { tls },
    ))

  test('that redirects to plain http is not followed', () =>
    beside(
      async (neighbour) => {
        await using plain = await startNeighbour()
        const location = plain.serve('/x', { size: 1 })
        const url = neighbour.serve('/x', { status: 302, headers: { location } })
        const section = { caBundle: base64(tls.ca) }
        const { message } = await failing(open(url, { section }), 'SOURCE_FORBIDDEN')
        expect(message).toContain('to http:')
        expect(plain.connections).toBe(0)
      },
      { tls },
    ))

  test('that ends early is an outage', () =>
    beside(
      async (neighbour) => {
        const cut = { at: 1000, how: 'end' } as const
        const url = neighbour.serve('/x', { size: 5000, cut })
        const work = read(url, { section: { caBundle: base64(tls.ca) } })
        const { message } = await failing(work, 'SOURCE_UNAVAILABLE')
        expect(message).toBe('the source ended after 1000 of 5000 bytes')
      },
      { tls },
    ))

  test('adds its bundle to the roots that are trusted anyway', () => {
    const { ca } = trustOf({ caBundle: base64(`${tls.ca}\n${tls.cert}`) })
    expect(ca).toEqual(expect.arrayContaining(rootCertificates.slice(0, 3)))
    expect(ca).toEqual(expect.arrayContaining([tls.ca.trim(), tls.cert.trim()]))
  })

  test('that speaks plain HTTP is an outage that says so', () =>
    beside(async (neighbour) => {
      const url = neighbour.url('/x').replace('http:', 'https:')
      const { message } = await failing(open(url), 'SOURCE_UNAVAILABLE')
      expect(message).toContain('TLS with it fails')
    }))
})

test('a bundle that holds no certificate is refused', () => {
  const broken = base64('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
  const refused = expect.objectContaining({ code: 'INVALID_REQUEST' })
  expect(() => trustOf({ caBundle: broken })).toThrow(refused)
})
