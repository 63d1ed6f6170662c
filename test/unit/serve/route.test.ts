import { expect, test } from 'vitest'
import { methodOf, routeOf } from '../../../src/serve/route.ts'

test.each([
  ['/v2/', '/v2/'],
  ['/v2/_catalog?n=1', '/v2/_catalog'],
  ['/v2/a/manifests/latest', '/v2/{repository}/manifests/{reference}'],
  ['/v2/a/b/c/blobs/sha256:1', '/v2/{repository}/blobs/{digest}'],
  ['/v2/manifests/blobs/referrers/sha256:1', '/v2/{repository}/referrers/{digest}'],
  ['/v2/a/blobs/uploads/', '/v2/{repository}/blobs/uploads/'],
  ['/v2/a/blobs/uploads?digest=x', '/v2/{repository}/blobs/uploads/'],
  ['/v2/a/blobs/uploads/1', '/v2/{repository}/blobs/uploads/{session}'],
  ['/v2/a/tags/list', '/v2/{repository}/tags/list'],
  ['/api/v1/images?limit=1', '/api/v1/images'],
  ['/api/v1/images/a.b', '/api/v1/images/{name}'],
  ['/api/v1/images/a/disk', '/api/v1/images/{name}/disk'],
  ['/upload/abc', '/upload/{token}'],
])('%s is of the route %s', (path, route) => {
  expect(routeOf(path)).toBe(route)
})

test.each([
  '/v2/a',
  '/v2//',
  '/wp-login.php',
  '',
  '*',
  '/api/v1/images/a/b',
  '/upload/a/b',
  '/v2/a/uploads/b',
])('what nobody serves is unknown: %j', (path) => {
  expect(routeOf(path)).toBe('unknown')
})

test('methods are a fixed set', () => {
  expect(['GET', 'PROPFIND', undefined].map(methodOf)).toEqual(['GET', 'other', 'other'])
})
