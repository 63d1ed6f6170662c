import { describe, expect, test } from 'vitest'
import { parseReference } from '../../../src/image/reference.ts'
import { ownRepository } from '../../../src/serve/public-names.ts'

const names = {
  external: 'https://Images.example.com',
  inCluster: 'https://slipway.svc:8443',
  registryHost: 'Registry.example.com',
}

describe('a reference is of this very service', () => {
  test.each([
    ['images.example.com/cvi/a', 'cvi/a'],
    ['images.example.com:443/cvi/a:latest', 'cvi/a'],
    ['slipway.svc:8443/team/a@sha256:' + 'a'.repeat(64), 'team/a'],
    ['registry.example.com/cvi/a', 'cvi/a'],
    ['REGISTRY.example.com/cvi/a', 'cvi/a'],
    ['registry.example.com:443/cvi/a', 'cvi/a'],
  ])('%s', (image, repository) => {
    expect(ownRepository(parseReference(image), names)).toBe(repository)
  })

  test.each([
    'images.example.com:80/cvi/a',
    'images.example.com:8443/cvi/a',
    'slipway.svc/cvi/a',
    'example.com/cvi/a',
    'cvi/a',
  ])('unless it is of another: %s', (image) => {
    expect(ownRepository(parseReference(image), names)).toBeNull()
  })
})
