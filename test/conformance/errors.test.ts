import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { sharing } from '../support/conformance-registry.ts'

const at = sharing()
const digest = digestOf(Buffer.from('x'))
const upload = '00000000-0000-0000-0000-000000000000'

const places = {
  _catalog: ['HEAD', 'GET'],
  'a/tags/list': ['HEAD', 'GET'],
  [`a/referrers/${digest}`]: ['HEAD', 'GET'],
  [`a/blobs/${digest}`]: ['HEAD', 'GET', 'DELETE'],
  'a/manifests/latest': ['HEAD', 'GET', 'PUT', 'DELETE'],
  'a/blobs/uploads/': ['POST'],
  [`a/blobs/uploads/${upload}`]: ['HEAD', 'GET', 'PATCH', 'PUT', 'DELETE'],
} as const
const methods = ['HEAD', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

describe('a method that a place does not take', () => {
  const cases = Object.entries(places).flatMap(([path, taken]) =>
    methods
      .filter((method) => !taken.some((one) => one === method))
      .map((method) => ({ path, method, taken })),
  )
  test.each(cases)(
    '$method $path is refused, and the others are told',
    async ({ path, method, taken }) => {
      const reply = await at.registry.ask(method, `/v2/${path}`)
      expect(reply.status).toBe(405)
      expect(reply.header('allow')?.split(', ').sort()).toEqual([...taken].sort())
      if (method !== 'HEAD') expectRefusal(reply, 405, 'UNSUPPORTED')
    },
  )
})

describe('a name', () => {
  test.each([
    'A',
    'a/B',
    '-a',
    'a-',
    'a//b',
    '/a',
    'a..b',
    'a.',
    '_a',
    'a___b',
    'a/-b',
    'a/b.',
    'a%20b',
    'a+b',
    'a:b',
    'a@b',
    '_catalog',
    'a%2f..%2fb',
    'a%00b',
    '%C3%A9',
    'a%5Cb',
    'x'.repeat(256),
    `${'a/'.repeat(200)}a`,
  ])('%s is none, wherever it stands', async (name) => {
    const { registry } = at
    for (const path of [
      'tags/list',
      'manifests/latest',
      `blobs/${digest}`,
      `referrers/${digest}`,
    ]) {
      expectRefusal(await registry.get(`/v2/${name}/${path}`), 400, 'NAME_INVALID')
    }
    for (const path of ['blobs/uploads/', 'blobs/uploads']) {
      expectRefusal(await registry.ask('POST', `/v2/${name}/${path}`), 400, 'NAME_INVALID')
    }
    const body = Buffer.from('{}')
    expectRefusal(await registry.put(name, 'latest', body), 400, 'NAME_INVALID')
  })

  test.each([
    'a',
    '0',
    'a.b',
    'a_b',
    'a__b',
    'a---b',
    'a/b/c/d',
    'x'.repeat(255),
    'tags/list',
    'blobs/uploads',
    'manifests/latest',
    'v2',
    'cvi-not',
    'cvis/x',
  ])('%s is one', async (name) => {
    expectRefusal(await at.registry.get(`/v2/${name}/tags/list`), 404, 'NAME_UNKNOWN')
    const reply = await at.registry.ask('POST', `/v2/${name}/blobs/uploads/`)
    expect(reply.status).toBe(202)
    expect(reply.location).toMatch(`/v2/${name}/blobs/uploads/`)
  })
})

describe('a path', () => {
  test.each([
    '/v2/nothing',
    '/v2/a/b',
    '/v2/a/tags',
    '/v2/a/tags/',
    '/v2/a/tags/list/',
    '/v2/_catalog/',
    '/v2/a/manifests/',
    '/v2/a/manifests',
    '/v2/a/manifests/latest/',
    '/v2/a/manifests/x/y',
    '/v2/a/blobs/',
    `/v2/a/blobs/${digest}/`,
    '/v2/a/referrers/',
    '/v2/a/blobs/uploads/x/y',
    '/v2/tags/list',
    '/v2/manifests/latest',
    '/v2/a/%zz/list',
    '/v2/a/tags/list%00',
    '/v2/a/TAGS/list',
  ])('%s leads to nothing', async (path) => {
    for (const method of ['GET', 'PUT', 'DELETE', 'POST']) {
      expectRefusal(await at.registry.ask(method, path), 404, 'UNSUPPORTED')
    }
  })

  test.each([
    ['/v2/../api/v1/images', 200],
    ['/v2/a/../../healthz', 200],
    ['/v2/%2e%2e/healthz', 200],
    ['/v2/a/..%2f..%2fhealthz', 404],
    ['/v2/a/blobs/..%2f..%2f..%2fcatalog.sqlite', 404],
    ['/v2/a/blobs/uploads/..%2f..%2fcatalog.sqlite', 404],
    [`/v2/a/blobs/sha256:..%2f${'a'.repeat(60)}`, 404],
    ['/v2/a/manifests/..', 404],
    ['/v2/a/manifests/..%2f..', 404],
    ['/v2/..%2f..%2f..%2fetc/manifests/passwd', 400],
  ])('%s climbs to nothing but what is served anyway', async (path, status) => {
    const reply = await at.registry.get(path)
    expect(reply.status).toBe(status)
    expect(reply.bytes.toString()).not.toMatch(/SQLite|root:/)
  })
})

describe('a reference that is neither tag nor digest', () => {
  test.each([
    '.hidden',
    'sha256:12',
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    `sha256:${'A'.repeat(64)}`,
    'a%20b',
  ])('%s is unknown as a manifest and refused as a blob', async (reference) => {
    const { registry } = at
    expectRefusal(await registry.get(`/v2/a/manifests/${reference}`), 404, 'NAME_UNKNOWN')
    expectRefusal(await registry.get(`/v2/a/blobs/${reference}`), 400, 'DIGEST_INVALID')
    expectRefusal(await registry.get(`/v2/a/referrers/${reference}`), 400, 'DIGEST_INVALID')
  })
})
