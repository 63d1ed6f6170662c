import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Refusal } from '../../../src/errors.ts'
import { targetOf } from '../../../src/serve/registry/target.ts'

describe('a path of the registry', () => {
  test.each([
    ['/v2/_catalog', { kind: 'catalog' }],
    ['/v2/a/tags/list', { kind: 'tags', repository: 'a' }],
    ['/v2/a/b/c/manifests/1.0', { kind: 'manifest', repository: 'a/b/c', reference: '1.0' }],
    ['/v2/a/blobs/sha256:1', { kind: 'blob', repository: 'a', reference: 'sha256:1' }],
    ['/v2/a/blobs/sha256%3A1', { kind: 'blob', repository: 'a', reference: 'sha256:1' }],
    ['/v2/a/referrers/sha256:1', { kind: 'referrers', repository: 'a', reference: 'sha256:1' }],
    ['/v2/a/blobs/uploads/', { kind: 'upload', repository: 'a', id: '' }],
    ['/v2/a/blobs/uploads', { kind: 'upload', repository: 'a', id: '' }],
    ['/v2/a/blobs/uploads/1-2', { kind: 'upload', repository: 'a', id: '1-2' }],
    ['/v2/manifests/blobs/tags/tags/list', { kind: 'tags', repository: 'manifests/blobs/tags' }],
    ['/v2/tags/list/manifests/1', { kind: 'manifest', repository: 'tags/list', reference: '1' }],
  ])('%s is understood', (path, target) => {
    expect(targetOf(path)).toEqual(target)
  })

  test.each([
    ['/v2/a', 'NOT_FOUND'],
    ['/v2/a/manifests/', 'NOT_FOUND'],
    ['/v2/a/manifests/1/2', 'NOT_FOUND'],
    ['/v2//manifests/1', 'NOT_FOUND'],
    ['/v2/A/manifests/1', 'NAME_INVALID'],
    ['/v2/../manifests/1', 'NAME_INVALID'],
    ['/v2/a/%2e%2e/manifests/1', 'NAME_INVALID'],
    ['/v2/a/_tags/manifests/1', 'NAME_INVALID'],
    [`/v2/${'a'.repeat(256)}/manifests/1`, 'NAME_INVALID'],
    ['/v2/a%/manifests/1', 'NAME_INVALID'],
  ])('%s is refused', (path, code) => {
    expect(() => targetOf(path)).toThrow(expect.objectContaining({ code }))
  })

  test('of any kind leads to something or to a refusal', () => {
    fc.assert(
      fc.property(fc.webPath(), (rest) => {
        try {
          const target = targetOf(`/v2${rest}`)
          if ('repository' in target) expect(target.repository).not.toMatch(/\.\.|_tags|^\//)
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal)
        }
      }),
    )
  })
})
