import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseChallenges } from '../../../../src/source/registry/challenge.ts'

const read = (...values: readonly string[]) =>
  parseChallenges(values).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])

describe('challenges', () => {
  test.each([
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/ubuntu:pull"',
      [
        [
          'bearer',
          {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:library/ubuntu:pull',
          },
        ],
      ],
    ],
    ['BEARER Realm="a,b", SERVICE=c', [['bearer', { realm: 'a,b', service: 'c' }]]],
    ['Basic realm="a \\"b\\" \\\\c"', [['basic', { realm: 'a "b" \\c' }]]],
    ['Basic', [['basic', {}]]],
    [
      'Basic, Bearer realm=x',
      [
        ['basic', {}],
        ['bearer', { realm: 'x' }],
      ],
    ],
    [
      'Basic realm="a", Bearer realm="b" , service = "c"',
      [
        ['basic', { realm: 'a' }],
        ['bearer', { realm: 'b', service: 'c' }],
      ],
    ],
    [
      'Negotiate YWJj==, Bearer realm="b"',
      [
        ['negotiate', {}],
        ['bearer', { realm: 'b' }],
      ],
    ],
    [
      'Bearer realm=https://example.com/token',
      [['bearer', { realm: 'https://example.com/token' }]],
    ],
    [',, Basic realm="a",,', [['basic', { realm: 'a' }]]],
    ['Bearer realm="first",realm="second"', [['bearer', { realm: 'first' }]]],
    [
      'Bearer realm="never closed',
      [
        ['bearer', {}],
        ['realm', {}],
      ],
    ],
    ['', []],
    ['"', []],
  ])('%s', (value, challenges) => {
    expect(read(value)).toEqual(challenges)
  })

  test('stand in one header or in several', () => {
    expect(read('Basic realm="a"', 'Bearer realm="b"')).toEqual([
      ['basic', { realm: 'a' }],
      ['bearer', { realm: 'b' }],
    ])
  })

  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
  const parameters = fc.dictionary(name, fc.string({ maxLength: 20 }), { minKeys: 1, maxKeys: 4 })
  const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`

  test('come back whatever their values hold', () => {
    const challenge = fc.tuple(name, parameters)
    fc.assert(
      fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
        const text = challenges
          .map(([scheme, all]) => {
            const told = Object.entries(all).map(([key, value]) => `${key}=${quoted(value)}`)
            return `${scheme.toUpperCase()} ${told.join(', ')}`
          })
          .join(', ')
        const expected = challenges.map(([scheme, all]) => [scheme, { ...all }])
        expect(read(text)).toEqual(expected)
      }),
    )
  })

  test('of any text are read to an end', () => {
    const part = fc.constantFrom('Bearer', 'realm', '=', '"', '\\', ',', ' ', 'a', '/', 'ä', '\n')
    const text = fc.array(part, { maxLength: 60 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, (value) => {
        for (const [scheme] of read(value)) expect(scheme).not.toBe('')
      }),
    )
  })

  test.each([
    `Bearer realm="${'\\"'.repeat(50_000)}`,
    `Bearer ${' ,'.repeat(50_000)}`,
    '=a'.repeat(50_000),
    `Bearer ${'a='.repeat(50_000)}`,
  ])('that are long take no time to speak of', (value) => {
    const start = performance.now()
    parseChallenges([value])
    expect(performance.now() - start).toBeLessThan(1000)
  })
})
