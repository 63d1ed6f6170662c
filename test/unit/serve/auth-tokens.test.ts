import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { Caller } from '../../../src/serve/auth/caller.ts'
import { everyone } from '../../../src/serve/auth/caller.ts'
import { IssuedTokens, looksIssued } from '../../../src/serve/auth/issued-tokens.ts'
import { grant, parseScopes, Scope } from '../../../src/serve/auth/scope.ts'
import { ServerKey } from '../../../src/work/server-key.ts'

const key = new ServerKey(Buffer.alloc(32, 1)).issuingKey
const access = [{ type: 'repository', name: 'a/b', actions: ['pull'] }]
const claims = { holder: { name: 'ci', stamp: 'x' }, access }

describe('an issued token', () => {
  const clock = { now: 1_800_000_000_000 }
  const tokens = new IssuedTokens(key, () => clock.now)

  test('says what was put in, for five minutes, and to its own service alone', async () => {
    clock.now = 1_800_000_000_000
    const { token, at } = await tokens.issue(claims, 'host:80')
    expect(looksIssued(token)).toBe(true)
    expect(at.getTime()).toBe(clock.now)
    expect(await tokens.verify(token, 'host:80')).toEqual(claims)
    expect(await tokens.verify(token, 'other:80')).toBe('lapsed')
    clock.now += 299_000
    expect(await tokens.verify(token, 'host:80')).toEqual(claims)
    clock.now += 1000
    expect(await tokens.verify(token, 'host:80')).toBe('lapsed')
    clock.now = 1_799_999_990_000
    expect(await tokens.verify(token, 'host:80')).toBe('lapsed')
  })

  test('lives no longer, and ends no earlier, when the clock is set', async () => {
    const wall = { now: 1_800_000_000_000 }
    const passing = { now: wall.now }
    const tokens = new IssuedTokens(
      key,
      () => passing.now,
      () => wall.now,
    )
    const { token } = await tokens.issue(claims, 'h')
    for (const by of [-86_400_000, 86_400_000]) {
      wall.now += by
      expect(await tokens.verify(token, 'h')).toEqual(claims)
    }
    wall.now -= 86_400_000
    expect((await tokens.issue(claims, 'h')).at.getTime()).toBe(wall.now)
    passing.now += 300_000
    expect(await tokens.verify(token, 'h')).toBe('lapsed')
  })

  test('has claims of its own each time, for another key nobody', async () => {
    clock.now = 1_800_000_000_000
    const [one, two] = [await tokens.issue(claims, 'h'), await tokens.issue(claims, 'h')]
    expect(one.token).not.toBe(two.token)
    const others = new IssuedTokens(new ServerKey(Buffer.alloc(32, 2)).issuingKey, () => clock.now)
    expect(await others.verify(one.token, 'h')).toBe('forged')
  })

  test('without a holder is one for strangers', async () => {
    const { token } = await tokens.issue({ holder: null, access }, 'h')
    expect(await tokens.verify(token, 'h')).toEqual({ holder: null, access })
  })

  test('is forged when its signature is of another kind, or none', async () => {
    const { token } = await tokens.issue(claims, 'h')
    const [, payload = ''] = token.split('.')
    const written = (header: object) => Buffer.from(JSON.stringify(header)).toString('base64url')
    const signed = (head: string, hash: string) =>
      `${head}.${payload}.${createHmac(hash, key).update(`${head}.${payload}`).digest('base64url')}`
    for (const forged of [
      `${written({ alg: 'none' })}.${payload}.`,
      `${written({ alg: 'none' })}.${payload}.x`,
      signed(written({ alg: 'HS512' }), 'sha512'),
      signed(written({ alg: 'RS256' }), 'sha256'),
      'a.b.c',
      '..',
      'x',
      token.slice(0, -2),
    ]) {
      expect(await tokens.verify(forged, 'h')).toBe('forged')
    }
  })
})

describe('scopes', () => {
  test.each([
    ['repository:a/b:pull,push', { type: 'repository', name: 'a/b', actions: ['pull', 'push'] }],
    ['repository:host:5000/a:pull', { type: 'repository', name: 'host:5000/a', actions: ['pull'] }],
    ['repository(plugin):a:pull', { type: 'repository', name: 'a', actions: ['pull'] }],
    ['registry:catalog:*', { type: 'registry', name: 'catalog', actions: ['*'] }],
  ])('%s is taken apart', (text, scope) => {
    expect(parseScopes([text])).toEqual([scope])
  })

  test('may stand side by side, and what is none is left out', () => {
    const names = parseScopes(['repository:a:pull  repository:b:pull', '', 'x', 'repository:c:'])
    expect(names.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  })

  test('are a hundred at most, and no more than fit into a header', () => {
    const some = (count: number, name: string) =>
      Array.from({ length: count }, (_, nth) => `repository:${name}${nth}:pull`)
    expect(parseScopes(some(100, 'a'))).toHaveLength(100)
    expect(() => parseScopes(some(101, 'a'))).toThrow('at most 100 scopes')
    expect(() => grant(parseScopes(some(100, 'a'.repeat(200))), everyone)).toThrow('so many scopes')
  })

  test('are granted as far as they are allowed', () => {
    const caller: Caller = {
      name: 'ci',
      may: (action, repository) => repository === 'mine' || action === 'pull',
      entitled: () => false,
      mayList: () => true,
    }
    const asked = parseScopes([
      'repository:mine:*',
      'repository:theirs:pull,push,delete',
      'repository:HOST:5000/a:pull',
      'repository:theirs:push',
      'registry:catalog:*',
      'registry:other:*',
      'mystery:mine:pull',
    ])
    expect(grant(asked, caller)).toEqual([
      { type: 'repository', name: 'mine', actions: ['pull', 'push', 'delete'] },
      { type: 'repository', name: 'theirs', actions: ['pull'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
    ])
  })

  test('cover what they name, taken together', () => {
    const scope = new Scope([
      ...access,
      { type: 'repository', name: 'a/b', actions: ['push'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
    ])
    expect(
      ['pull', 'push', 'delete'].map((action) => scope.covers(action as 'pull', 'a/b')),
    ).toEqual([true, true, false])
    expect(scope.covers('pull', 'a')).toBe(false)
    expect(scope.lists).toBe(true)
    expect(new Scope(access).lists).toBe(false)
  })
})
