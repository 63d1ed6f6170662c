import { describe, expect, test } from 'vitest'
import { dockerConfigProblem } from '../../../../src/image/docker-config.ts'
import { parseReference } from '../../../../src/image/reference.ts'
import { credentialsOf } from '../../../../src/source/registry/given.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const login = (username: string, password = 'p') => ({ kind: 'login', username, password })

function found(auths: Record<string, unknown>, image: string, wrap = (json: string) => json) {
  const auth = { '.dockerconfigjson': wrap(JSON.stringify({ auths })) }
  return credentialsOf({ image, auth }, parseReference(image)).credentials
}

/** Entries whose user is their key. */
const keyed = (...keys: readonly string[]) =>
  Object.fromEntries(keys.map((key) => [key, { username: key, password: 'p' }]))

describe('the credentials for a reference', () => {
  test.each([
    ['ubuntu', 'https://index.docker.io/v1/'],
    ['ubuntu', 'index.docker.io'],
    ['ubuntu', 'docker.io'],
    ['ubuntu', 'docker.io/library'],
    ['a/b', 'https://registry-1.docker.io/v2/'],
    ['r.example.com/a', 'r.example.com'],
    ['r.example.com/a', 'R.Example.com'],
    ['r.example.com/a', 'https://r.example.com'],
    ['r.example.com/a', 'http://r.example.com///'],
    ['r.example.com/a', 'https://r.example.com/v2/'],
    ['r.example.com:5000/a', 'r.example.com:5000'],
    ['r.example.com:5000/a/b', 'https://r.example.com:5000/a/'],
    ['[::1]:5000/a/b', '[::1]:5000'],
    ['r.example.com/a', '*.example.com'],
    ['r.example.com:5000/a', '*.example.com:5000'],
    ['r.example.com/a', 'r*.*.com'],
  ])('%s are those of %s', (image, key) => {
    expect(found(keyed('other.example.com', key), image)).toMatchObject({ username: key })
  })

  test.each([
    ['r.example.com/a', 'example.com'],
    ['r.example.com/a', 'r.example.com:5000'],
    ['r.example.com:5000/a', 'r.example.com'],
    ['r.example.com:5000/a', '*.example.com'],
    ['r.example.com/ab/c', 'r.example.com/a'],
    ['r.example.com/a', 'r.example.com/a/b'],
    ['a.b.example.com/a', '*.example.com'],
    ['rxexample.com/a', 'r.example.com'],
    ['ubuntu', 'r.example.com'],
    ['docker.example.com/a', ''],
  ])('%s are not those of %s', (image, key) => {
    expect(found(keyed(key), image)).toBeNull()
  })

  test.each([
    ['*a*b*', true],
    ['*b*a*', false],
    ['aab', true],
    ['ab*ab', false],
    ['a*b', true],
    ['*aab', true],
    ['*aaab', false],
  ])('match a label by %s: %s', (glob, expected) => {
    expect(found(keyed(`${glob}.example.com`), 'aab.example.com/x') !== null).toBe(expected)
  })

  test('are found at once whatever stars there are', () => {
    const key = `${'*a'.repeat(20)}*b.example.com`
    const began = process.cpuUsage()
    expect(found(keyed(key), `${'a'.repeat(60)}.example.com/x`)).toBeNull()
    // As a regular expression this takes longer than anybody lives.
    expect(process.cpuUsage(began).user).toBeLessThan(5_000_000)
  })

  test.each([
    ['r.example.com/a/b:1', ['r.example.com', 'r.example.com/a', 'r.example.com/a/b'], 2],
    ['r.example.com/a/c:1', ['r.example.com', 'r.example.com/a', 'r.example.com/a/b'], 1],
    ['r.example.com/c:1', ['r.example.com', 'r.example.com/a', '*.example.com'], 0],
    ['r.example.com/a/b', ['r.example.com', '*.example.com/a'], 1],
    ['reg.example.com/a', ['*.example.com', 'r*.example.com'], 1],
  ])('%s are the closest ones of %j', (image, keys, best) => {
    const wanted = { username: keys[best] }
    expect(found(keyed(...keys), image)).toMatchObject(wanted)
    expect(found(keyed(...keys.toReversed()), image)).toMatchObject(wanted)
  })

  test.each([
    [{ auth: base64('user:p') }, login('user')],
    [{ auth: base64('user:a:b:c') }, login('user', 'a:b:c')],
    [{ auth: base64('user:p\0\0') }, login('user')],
    [{ auth: base64('us€r:pä') }, login('us€r', 'pä')],
    [{ auth: base64('a:b'), username: 'c', password: 'd' }, login('a', 'b')],
    [{ auth: '', username: 'c', password: 'p' }, login('c')],
    [{ auth: null, username: 'c', password: 'p' }, login('c')],
    [
      { auth: base64(':'), identitytoken: 'id' },
      { kind: 'identity', token: 'id' },
    ],
    [{ auth: base64('<token>:id') }, { kind: 'identity', token: 'id' }],
    [
      { username: '<token>', password: 'id' },
      { kind: 'identity', token: 'id' },
    ],
    [
      { registrytoken: 'raw', auth: base64('a:b') },
      { kind: 'bearer', token: 'raw' },
    ],
    [{}, null],
    [{ auth: '', email: 'a@b' }, null],
  ])('in %j', (entry, credentials) => {
    expect(found({ 'r.example.com': entry }, 'r.example.com/a')).toEqual(credentials)
  })

  test('are not looked for in an entry that has none', () => {
    const auths = { 'r.example.com/a': {}, ...keyed('r.example.com') }
    expect(found(auths, 'r.example.com/a')).toMatchObject({ username: 'r.example.com' })
  })

  test('may be in base64, as in a secret', () => {
    expect(found(keyed('r.example.com'), 'r.example.com/a', base64)).not.toBeNull()
  })

  test('given by themselves need no document', () => {
    const image = 'r.example.com/a'
    const auth = { username: 'me', password: 'p' }
    expect(credentialsOf({ image, auth }, parseReference(image)).credentials).toEqual(login('me'))
  })

  test('that are missing say where they could be given', () => {
    const image = 'r.example.com/a'
    const auth = { '.dockerconfigjson': '{"auths": {}}' }
    const { wayOut } = credentialsOf({ image, auth }, parseReference(image))
    expect(wayOut).toBe('add an entry for r.example.com to .dockerconfigjson')
  })
})

describe('a document', () => {
  test.each([
    '{"auths":{}}',
    '  {"auths":{"a":{}},"credsStore":"desktop","HttpHeaders":{}}',
    base64('{"auths":{"a":{"auth":"YTpi"}}}'),
  ])('%s is taken', (text) => {
    expect(dockerConfigProblem(text)).toBeNull()
  })

  test.each(['', '{}', '[]', 'null', '{"auths":[]}', '{"auths":{"a":"b"}}', '{"auths":', '!'])(
    '%j is refused',
    (text) => {
      expect(dockerConfigProblem(text)).toContain('must be JSON like')
    },
  )

  test('with something else for a login is refused, and nothing of it repeated', () => {
    const problem = dockerConfigProblem(
      JSON.stringify({ auths: { 'r.example.com': { auth: 'secret' } } }),
    )
    expect(problem).toBe('holds an "auth" that is not base64 of user:password')
  })
})
