import bcrypt from 'bcrypt'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Attempts } from '../../../src/serve/auth/attempts.ts'
import { countedAs, Proxies } from '../../../src/serve/auth/client-address.ts'
import { shownBy } from '../../../src/serve/auth/credentials.ts'
import { Failures } from '../../../src/serve/auth/failures.ts'
import { parsePasswords } from '../../../src/serve/auth/htpasswd-file.ts'
import { PasswordCheck } from '../../../src/serve/auth/password-check.ts'
import { RecentKeys } from '../../../src/serve/auth/recent-keys.ts'
import { basic, passwordLine } from '../../support/callers.ts'

const origin = { variable: 'SLIPWAY_HTPASSWD_FILE', path: '/etc/htpasswd' }
const tooMany = 'too many failed attempts from this address'

describe('failed attempts', () => {
  const clock = { now: 0 }
  let attempts: Attempts
  const own = { name: 'node', secret: 'right' }
  const guess = (name: string | null, nth: number) => ({ name, secret: `guess ${nth}` })
  const admits = (address: string, shown: { name: string | null; secret: string }) => () =>
    attempts.admit(address, shown)
  const fail = (name: string | null, times: number, address = '192.0.2.1') => {
    for (let nth = 0; nth < times; nth += 1) attempts.failed(address, guess(name, nth))
  }
  beforeEach(() => {
    clock.now = 0
    attempts = new Attempts(() => clock.now)
  })

  test('are ten in a minute for an address, and the eleventh waits for the first to be over', () => {
    fail('admin', 9)
    expect(admits('192.0.2.1', own)).not.toThrow()
    clock.now = 20_000
    fail('admin', 1)
    expect(admits('192.0.2.1', own)).toThrow(tooMany)
    expect(admits('192.0.2.1', own)).toThrow(expect.objectContaining({ retryAfter: 40_000 }))
    expect(admits('192.0.2.2', own)).not.toThrow()
    clock.now = 60_000
    expect(admits('192.0.2.1', own)).not.toThrow()
  })

  test('do not shut out a credential that was right from there before, nor does it help guessing', () => {
    attempts.succeeded('192.0.2.1', own)
    fail('admin', 20)
    expect(admits('192.0.2.1', own)).not.toThrow()
    expect(admits('192.0.2.1', { name: 'other', secret: 'right' })).toThrow(tooMany)
    for (let nth = 0; nth < 10; nth += 1) {
      expect(admits('192.0.2.1', guess('node', nth))).toThrow(tooMany)
    }
    expect(admits('192.0.2.1', own)).toThrow(tooMany)
  })

  test('with tokens alone do not shut out tokens that were right before', () => {
    const token = { name: null, secret: 'random' }
    attempts.succeeded('192.0.2.1', token)
    fail(null, 50)
    expect(admits('192.0.2.1', token)).not.toThrow()
  })

  test('of very many addresses are forgotten, the oldest first', () => {
    const failures = new Failures(() => 0)
    for (let nth = 0; nth < 10; nth += 1) failures.add('first')
    expect(failures.wait('first')).toBe(60_000)
    for (let nth = 0; nth < 10_000; nth += 1) failures.add(`other ${nth}`)
    expect(failures.wait('first')).toBe(0)
  })
})

describe('the address of a client', () => {
  const incoming = (remoteAddress: string, forwarded?: string, proto?: string) =>
    ({
      socket: { remoteAddress },
      headers: {
        ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }),
        ...(proto !== undefined && { 'x-forwarded-proto': proto }),
      },
    }) as Parameters<Proxies['addressOf']>[0]
  const proxies = new Proxies(['10.0.0.0/8', '2001:db8::/32'])

  test.each([
    ['192.0.2.1', '203.0.113.9', '192.0.2.1'],
    ['10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.0.0.1', '198.51.100.1, 203.0.113.9', '203.0.113.9'],
    ['10.0.0.1', '198.51.100.1, 203.0.113.9, 10.1.1.1', '203.0.113.9'],
    ['10.0.0.1', '203.0.113.9:4711', '203.0.113.9'],
    ['2001:db8::1', '[2001:4860::7]:80', '2001:4860::7'],
    ['10.0.0.1', 'unknown, 10.2.2.2', '10.2.2.2'],
    ['10.0.0.1', 'nonsense', '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', undefined, '10.0.0.1'],
  ])('asked by %s with X-Forwarded-For %s is %s', (peer, forwarded, address) => {
    expect(proxies.addressOf(incoming(peer, forwarded))).toBe(address)
  })

  test('is safe when a proxy that is trusted says so', () => {
    expect(proxies.isSecure(incoming('10.0.0.1', undefined, 'https'))).toBe(true)
    expect(proxies.isSecure(incoming('10.0.0.1', undefined, 'http'))).toBe(false)
    expect(proxies.isSecure(incoming('192.0.2.1', undefined, 'https'))).toBe(false)
  })

  test('counts for its customer: a whole /64 of IPv6', () => {
    expect(countedAs('192.0.2.1')).toBe('192.0.2.1')
    expect(countedAs('2001:db8:1:2:3::4')).toBe(countedAs('2001:db8:1:2:ffff::1'))
    expect(countedAs('2001:db8:1:2::1')).not.toBe(countedAs('2001:db8:1:3::1'))
    expect(countedAs('an unknown address')).toBe('an unknown address')
  })
})

describe('the Authorization header', () => {
  test.each([
    [undefined, null],
    [basic('node', 'a:b'), { name: 'node', secret: 'a:b' }],
    [basic('node', 'pässword'), { name: 'node', secret: 'pässword' }],
    ['bearer  abc', { name: null, secret: 'abc' }],
    ['Basic !!!', 'unusable'],
    [`Basic ${Buffer.from('no colon').toString('base64')}`, 'unusable'],
    ['Digest abc', 'unusable'],
    ['Bearer', 'unusable'],
    ['', 'unusable'],
  ])('%s shows %j', (header, shown) => {
    expect(shownBy(header)).toEqual(shown)
  })
})

describe('passwords', () => {
  const nothing = () => {}

  test('that were right are checked once, until their hash changes', async () => {
    using compare = vi.spyOn(bcrypt, 'compare')
    const check = new PasswordCheck()
    const before = parsePasswords(await passwordLine('node', 'secret'), origin)
    const burst = Array.from({ length: 50 }, () => check.find(before, 'node', 'secret', nothing))
    for (const found of await Promise.all(burst)) expect(found).toMatchObject({ name: 'node' })
    expect(await check.find(before, 'node', 'secret', nothing)).toMatchObject({ name: 'node' })
    expect(compare).toHaveBeenCalledTimes(1)
    const after = parsePasswords(await passwordLine('node', 'changed'), origin)
    expect(await check.find(after, 'node', 'secret', nothing)).toBeNull()
    expect(await check.find(new Map(), 'node', 'secret', nothing)).toBeNull()
    expect(compare).toHaveBeenCalledTimes(3)
  })

  test('of unknown names cost a check as dear as those of known ones', async () => {
    using compare = vi.spyOn(bcrypt, 'compare')
    const text = `node:${await bcrypt.hash('secret', 5)}`
    const passwords = parsePasswords(text, origin)
    expect(await new PasswordCheck().find(passwords, 'nobody', 'secret', nothing)).toBeNull()
    expect(compare).toHaveBeenCalledWith('secret', expect.stringMatching(/^\$2b\$05\$\.{53}$/))
  })

  test('wait for one another, and so many may wait and no more', async () => {
    const passwords = parsePasswords(await passwordLine('node', 'secret'), origin)
    const check = new PasswordCheck()
    const guesses = Array.from({ length: 67 }, (_, nth) =>
      check.find(passwords, 'node', `guess ${nth}`, nothing),
    )
    const results = await Promise.allSettled(guesses)
    const refused = results.filter(({ status }) => status === 'rejected')
    expect(refused).toEqual([
      { status: 'rejected', reason: expect.objectContaining({ code: 'TOO_MANY_REQUESTS' }) },
    ])
    expect(await check.find(passwords, 'node', 'secret', nothing)).toMatchObject({ name: 'node' })
  })

  test('are not hashed when that is no longer wanted at their turn', async () => {
    using compare = vi.spyOn(bcrypt, 'compare')
    const refuse = () => {
      throw new Error('no longer')
    }
    await expect(new PasswordCheck().find(new Map(), 'a', 'b', refuse)).rejects.toThrow('no longer')
    expect(compare).not.toHaveBeenCalled()
  })
})

test('recent keys make room for newer ones, the longest unused first', () => {
  const keys = new RecentKeys(2)
  keys.add('a')
  keys.add('b')
  expect(keys.has('a')).toBe(true)
  keys.add('c')
  expect([keys.has('a'), keys.has('b'), keys.has('c')]).toEqual([true, false, true])
})
