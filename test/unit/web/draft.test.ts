import { describe, expect, test } from 'vitest'
import { dataSourceSchema } from '../../../src/image/data-source.ts'
import { empty, fieldOf, problemsOf, sourceOf } from '../../../src/serve/web/browser/draft.js'

const url = { ...empty, place: 'https://example.com/a.img', name: 'a' }
const registry = { ...empty, place: 'registry.example.com/team/a:1', name: 'a' }
const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
const free = () => false

describe('what is sent', () => {
  test.each([
    ['nothing but the URL', url, { url: url.place }],
    [
      'a checksum, told by its length',
      { ...url, checksum: 'A'.repeat(128) },
      { url: url.place, checksum: { sha512: 'a'.repeat(128) } },
    ],
    [
      'a password',
      { ...url, credentials: 'password' as const, username: 'me', password: ' it ' },
      { url: url.place, auth: { basic: { username: 'me', password: ' it ' } } },
    ],
    [
      'a token and headers',
      { ...url, credentials: 'token' as const, token: 't', headers: 'X-One: 1\n\n X-Two : a:b ' },
      { url: url.place, auth: { bearer: 't', headers: { 'X-One': '1', 'X-Two': 'a:b' } } },
    ],
    ['no secret that is not chosen', { ...url, username: 'me', token: 't' }, { url: url.place }],
    ['certificates', { ...url, certificates: pem }, { url: url.place, caBundle: btoa(pem) }],
  ])('of a URL has %s', (_what, draft, http) => {
    expect(dataSourceSchema.parse(sourceOf('url', draft))).toEqual({ type: 'HTTP', http })
  })

  test.each([
    ['nothing but the image', registry, { image: registry.place }],
    [
      'a password and a platform',
      {
        ...registry,
        credentials: 'password' as const,
        username: 'me',
        password: 'it',
        platform: 'linux/arm64',
      },
      {
        image: registry.place,
        auth: { username: 'me', password: 'it' },
        platform: 'linux/arm64',
      },
    ],
    [
      'no checksum, which belongs to a URL',
      { ...registry, checksum: 'a'.repeat(64) },
      { image: registry.place },
    ],
  ])('of a container image has %s', (_what, draft, containerImage) => {
    const source = dataSourceSchema.parse(sourceOf('registry', draft))
    expect(source).toEqual({ type: 'ContainerImage', containerImage })
  })
})

describe('what is wrong', () => {
  test('is nothing in a sound form', () => {
    expect([...problemsOf('url', url, free)]).toEqual([])
    expect([...problemsOf('registry', registry, free)]).toEqual([])
  })

  test.each([
    ['place', { ...url, place: '' }],
    ['place', { ...url, place: 'ftp://example.com/a.img' }],
    ['place', { ...url, place: 'example.com/a.img' }],
    ['name', { ...url, name: '' }],
    ['name', { ...url, name: 'with.dot' }],
    ['name', { ...url, name: '-a' }],
    ['name', { ...url, name: 'a'.repeat(201) }],
    ['checksum', { ...url, checksum: 'a'.repeat(63) }],
    ['checksum', { ...url, checksum: 'g'.repeat(64) }],
    ['token', { ...url, credentials: 'token' as const }],
    ['headers', { ...url, headers: 'X-One 1' }],
    ['headers', { ...url, headers: ': 1' }],
    ['certificates', { ...url, certificates: 'MIIB' }],
    ['certificates', { ...url, certificates: `${pem}ж` }],
  ])('with %s is told there', (field, draft) => {
    expect([...problemsOf('url', draft, free).keys()]).toEqual([field])
  })

  test('with a name is that another image has it', () => {
    expect(problemsOf('url', url, (name) => name === 'a').get('name')).toContain('"a" already')
  })

  test('in several fields begins with the first of them', () => {
    const draft = { ...url, place: '', name: '', headers: 'x' }
    expect([...problemsOf('url', draft, free).keys()]).toEqual(['place', 'name', 'headers'])
  })
})

test.each([
  ['name', 'name'],
  ['dataSource.http.url', 'place'],
  ['dataSource.containerImage.image', 'place'],
  ['containerImage.image', 'place'],
  ['dataSource.http.checksum.sha256', 'checksum'],
  ['dataSource.http.auth.bearer', 'token'],
  ['dataSource.http.auth.headers.Host', 'headers'],
  ['dataSource.http.auth.basic.password', 'password'],
  ['dataSource.http.auth.basic.username', 'username'],
  ['dataSource.containerImage.auth', 'username'],
  ['dataSource.http.caBundle', 'certificates'],
  ['dataSource.containerImage.platform', 'platform'],
  ['owner', null],
])('what the service says of %s stands at %s', (path, field) => {
  expect(fieldOf(path)).toBe(field)
})
