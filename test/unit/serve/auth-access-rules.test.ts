import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAccess } from '../../../src/serve/auth/access-rules.ts'
import { compileGlob } from '../../../src/image/glob.ts'

const origin = { variable: 'SLIPWAY_ACCESS_FILE', path: '/etc/access.json' }

function rulesOf(...rules: readonly (readonly [string, Record<string, readonly string[]>])[]) {
  const written = rules.map(([repository, allow]) => ({ repository, allow }))
  return parseAccess(JSON.stringify({ rules: written }), origin)
}

describe('a glob', () => {
  test.each([
    ['team-a/*', 'team-a/x', true],
    ['team-a/*', 'team-a/x/y', false],
    ['team-a/*', 'team-ab/x', false],
    ['team-a/**', 'team-a/x/y', true],
    ['team-a/**', 'team-a', false],
    ['**/base', 'a/b/base', true],
    ['*/base', 'a/b/base', false],
    ['a/*/c', 'a/b/c', true],
    ['cvi/ubuntu-*', 'cvi/ubuntu-24', true],
    ['a.c', 'abc', false],
    ['**', 'any/thing', true],
    ['*', 'one', true],
  ])('%s on %s: %s', (glob, path, does) => {
    expect(compileGlob(glob).matches(path)).toBe(does)
  })

  test('matches what the expression of the same meaning matches', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*'), maxLength: 8 })
    const path = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 12 })
    const glob = text.filter((each) => !each.includes('***'))
    fc.assert(
      fc.property(glob, path, (glob, path) => {
        const source = glob.replaceAll('**', '.*').replaceAll(/(?<!\.)\*/g, '[^/]*')
        expect(compileGlob(glob).matches(path)).toBe(new RegExp(`^${source}$`).test(path))
      }),
      { numRuns: 2000 },
    )
  })

  test('takes no longer for many stars on a long name', () => {
    const glob = compileGlob(`${'*a'.repeat(60)}*b`)
    const begun = performance.now()
    expect(glob.matches('a'.repeat(255))).toBe(false)
    expect(performance.now() - begun).toBeLessThan(1000)
  })
})

describe('rules of repositories', () => {
  test('say nothing where none matches, so that the role decides', () => {
    expect(rulesOf(['team-a/**', {}]).allowed('x', 'team-b/x')).toBeNull()
  })

  test('hold by the closest match: most literal characters, then without **, then the first', () => {
    const rules = rulesOf(
      ['**', { any: ['pull'] }],
      ['team-a/**', { any: ['push'] }],
      ['team-a/*', { any: ['delete'] }],
      ['team-a/*', { any: ['pull'] }],
      ['team-a/base*', { any: ['pull', 'push'] }],
    )
    const of = (repository: string) => [...(rules.allowed('any', repository) ?? [])]
    expect(of('other')).toEqual(['pull'])
    expect(of('team-a/x/y')).toEqual(['push'])
    expect(of('team-a/x')).toEqual(['delete'])
    expect(of('team-a/base-os')).toEqual(['pull', 'push'])
  })

  test('ask for the own entry, then for that of all who are known, then for that of strangers', () => {
    const rules = rulesOf(
      ['a', { own: ['push'], '*': ['pull'], anonymous: [] }],
      ['b', { anonymous: ['pull'] }],
      ['c', { own: [] }],
    )
    const of = (name: string | null, repository: string) => [
      ...(rules.allowed(name, repository) ?? ['none']),
    ]
    expect([of('own', 'a'), of('other', 'a'), of(null, 'a')]).toEqual([['push'], ['pull'], []])
    expect([of('own', 'b'), of(null, 'b')]).toEqual([['pull'], ['pull']])
    expect([of('own', 'c'), of('other', 'c'), of(null, 'c')]).toEqual([[], [], []])
    expect(rules.admitAnonymous).toBe(true)
    expect(rulesOf(['a', { anonymous: [] }]).admitAnonymous).toBe(false)
  })

  test.each([
    ['{"rules": [}', ': it is no JSON'],
    ['{"rules": {}}', 'rules: '],
    ['{"rules": [{"repository": "a", "allow": {"x": ["read"]}}]}', 'rules.0.allow.x.0: '],
    ['{"rules": [{"repository": "/a", "allow": {}}]}', 'rules.0.repository: is no name'],
    ['{"rules": [{"repository": "a//b", "allow": {}}]}', 'rules.0.repository: is no name'],
    ['{"rules": [{"repository": "a/***", "allow": {}}]}', 'rules.0.repository: is no name'],
    ['{"rules": [{"repository": "A", "allow": {}}]}', 'rules.0.repository: is no name'],
    ['{"rules": [{"repository": "a", "allow": {"x y": []}}]}', 'rules.0.allow.x y: '],
    ['{"rules": [{"repository": "a"}]}', 'rules.0.allow: '],
    ['{"rules": [], "rule": []}', 'Unrecognized key'],
  ])('that are %s are refused, and it is said where', (text, told) => {
    const parse = () => parseAccess(text, origin)
    expect(parse).toThrow('SLIPWAY_ACCESS_FILE is "/etc/access.json"')
    expect(parse).toThrow(told)
    expect(parse).toThrow('it looks like {"rules": [')
  })
})
