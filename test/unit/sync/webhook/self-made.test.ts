import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { upToDate, type SelfMade } from '../../../../src/sync/webhook/self-made.ts'
import { handshake } from '../../../support/handshake.ts'

const nothing: SelfMade = { bundle: '', authorityKey: '', cert: '', key: '' }
const [day, year] = [86_400_000, 365 * 86_400_000]
/** Handshakes look at the real clock. */
const now = Date.now()
const name = 'slipway-webhook.slipway.svc'

const leafOf = ({ cert }: SelfMade) => new X509Certificate(cert)
const countOf = ({ bundle }: SelfMade) => bundle.split('-----BEGIN').length - 1
const endOf = (made: SelfMade) => leafOf(made).validToDate.getTime()
const renewedAt = (made: SelfMade) => endOf(made) - 60 * day

describe('a certificate of our own', () => {
  test.each([name, 'localhost', '127.0.0.1', '::1', 'fd00::17'])(
    'is accepted under the name %s',
    async (called) => {
      const made = await upToDate(nothing, [called, 'other.example'], now)
      await expect(handshake(made, made.bundle, called)).resolves.toBe('TLSv1.3')
      await expect(handshake(made, made.bundle, 'wrong.example')).rejects.toMatchObject({
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      })
      const strange = await upToDate(nothing, [called], now)
      await expect(handshake(made, strange.bundle, called)).rejects.toThrow(/unable|self-signed/)
    },
  )

  test('lasts a year, its authority ten, and both begin an hour ago', async () => {
    const made = await upToDate(nothing, [name], now)
    const [leaf, authority] = [leafOf(made), new X509Certificate(made.bundle)]
    const days = (cert: X509Certificate) => Math.round((cert.validToDate.getTime() - now) / day)
    expect([days(leaf), days(authority)]).toEqual([365, 3650])
    expect(now - leaf.validFromDate.getTime()).toBeLessThanOrEqual(3_601_000)
    expect(now - authority.validFromDate.getTime()).toBeGreaterThan(3_599_000)
    expect([leaf.ca, authority.ca, countOf(made)]).toEqual([false, true, 1])
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  })

  test.each([
    ['names', [name, '127.0.0.1', '::1']],
    ['strange names', ['under_score.example', 'xn--bcher-kva.example', 'a'.repeat(63)]],
  ])('is kept as it is while nothing is due, whatever its %s', async (_what, names) => {
    const made = await upToDate(nothing, names, now)
    expect(await upToDate(made, names, now)).toBe(made)
    expect(await upToDate(made, names.slice(1), renewedAt(made) - 1000)).toBe(made)
  })

  test('is made anew by the same authority 60 days before its end', async () => {
    const made = await upToDate(nothing, [name], now)
    const later = await upToDate(made, [name], renewedAt(made) + 1000)
    expect(later.cert).not.toBe(made.cert)
    expect(later.key).not.toBe(made.key)
    expect([later.bundle, later.authorityKey]).toEqual([made.bundle, made.authorityKey])
    expect(endOf(later)).toBeGreaterThan(endOf(made) + 300 * day)
    await handshake(later, made.bundle, name)
  })

  test('is made anew when a name is missing', async () => {
    const made = await upToDate(nothing, [name], now)
    const later = await upToDate(made, [name, '10.0.0.1'], now)
    expect(later.bundle).toBe(made.bundle)
    await handshake(later, made.bundle, '10.0.0.1')
  })
})

describe('an authority', () => {
  test('in its last two years has another one in front of it, and what it has signed stays in use', async () => {
    const first = await upToDate(nothing, [name], now)
    const late = await upToDate(first, [name], now + 7.99 * year)
    expect(late.bundle).toBe(first.bundle)
    const second = await upToDate(late, [name], now + 8.01 * year)
    expect(second.bundle).not.toBe(first.bundle)
    expect(second.bundle.endsWith(first.bundle)).toBe(true)
    expect([second.cert, second.key]).toEqual([late.cert, late.key])
    const third = await upToDate(second, [name], renewedAt(late) + 1000)
    expect(third.bundle).toBe(second.bundle)
    // Both are trusted, whatever a process shows that has not looked yet.
    await handshake(late, third.bundle, name)
    await handshake(third, third.bundle, name)
    await expect(handshake(third, first.bundle, name)).rejects.toThrow()
  })

  test('whose time is over is trusted no more', async () => {
    const first = await upToDate(nothing, [name], now)
    const later = await upToDate(first, [name], now + 11 * year)
    expect(countOf(later)).toBe(1)
    await handshake(later, later.bundle, name)
    await expect(handshake(later, first.bundle, name)).rejects.toThrow()
  })

  test('of a clock that goes back and back makes the bundle no longer and longer', async () => {
    let made = nothing
    const counts: number[] = []
    for (let turn = 0; turn < 6; turn += 1) {
      made = await upToDate(made, [name], now - turn * day)
      counts.push(countOf(made))
    }
    expect(counts).toEqual([1, 2, 3, 4, 4, 4])
  })
})

describe('what cannot be used', () => {
  const other = upToDate(nothing, [name], now)
  const pem = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  })
  const own = upToDate(nothing, [name], now)

  test.each<[string, (made: SelfMade, strange: SelfMade) => Partial<SelfMade>]>([
    ['garbage instead of the authority', () => ({ bundle: 'garbage' })],
    ['a broken certificate among the authorities', (made) => ({ bundle: broken(made.bundle) })],
    ['no key of the authority', () => ({ authorityKey: '' })],
    ['the key of another authority', (_made, { authorityKey }) => ({ authorityKey })],
    ['a key of another curve', () => ({ authorityKey: String(pem) })],
    [
      'a server in the place of the authority',
      ({ cert, key }) => ({ bundle: cert, authorityKey: key }),
    ],
    ['nothing at all', () => nothing],
  ])('is made anew as a whole: %s', async (_what, change) => {
    const [made, strange] = await Promise.all([own, other])
    const later = await upToDate({ ...made, ...change(made, strange) }, [name], now)
    expect(later.bundle).not.toContain(made.bundle)
    expect(countOf(later)).toBe(1)
    await handshake(later, later.bundle, name)
    expect(await upToDate(later, [name], now)).toBe(later)
  })

  test.each<[string, (made: SelfMade, strange: SelfMade) => Partial<SelfMade>]>([
    ['garbage instead of the certificate', () => ({ cert: 'garbage' })],
    ['no certificate', () => ({ cert: '' })],
    ['no key', () => ({ key: '' })],
    ['another key', (_made, { key }) => ({ key })],
    ['a certificate that the authority has not signed', (_made, { cert, key }) => ({ cert, key })],
  ])('is made anew by the same authority: %s', async (_what, change) => {
    const [made, strange] = await Promise.all([own, other])
    const later = await upToDate({ ...made, ...change(made, strange) }, [name], now)
    expect([later.bundle, later.authorityKey]).toEqual([made.bundle, made.authorityKey])
    await handshake(later, made.bundle, name)
  })

  function broken(bundle: string): string {
    return bundle + bundle.replace(/\n.{10}/, '\nAAAAAAAAAA')
  }
})

/** Years that a process is ahead of the others, or behind. */
describe.each([-30, -5, 5, 9, 30])('a process whose clock is %d years off', (years) => {
  const theirs = now + years * year

  test.each(['it', 'the others'])('agrees with them soon when %s began', async (who) => {
    const clocks = who === 'it' ? [theirs, now] : [now, theirs]
    let made = nothing
    let writes = 0
    for (let turn = 0; turn < 10; turn += 1) {
      const next = await upToDate(made, [name], clocks[turn % 2] ?? now)
      writes += Number(next !== made)
      made = next
    }
    expect(writes).toBeLessThanOrEqual(4)
    for (const clock of clocks) expect(await upToDate(made, [name], clock)).toBe(made)
    await handshake(made, made.bundle, name)
  })
})
