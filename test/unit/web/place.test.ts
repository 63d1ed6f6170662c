import { describe, expect, test } from 'vitest'
import { hashOf, placeOf } from '../../../src/serve/web/browser/place.js'

describe('the part of the address behind #', () => {
  test.each([
    ['', { view: 'images', name: '', query: '' }],
    ['#/', { view: 'images', name: '', query: '' }],
    ['#/nonsense/x', { view: 'images', name: 'x', query: '' }],
    [
      '#/images?search=a%20b&order=-name',
      { view: 'images', name: '', query: 'search=a%20b&order=-name' },
    ],
    ['#/images/ubuntu', { view: 'image', name: 'ubuntu', query: '' }],
    ['#/storage', { view: 'storage', name: '', query: '' }],
    ['#/repositories', { view: 'repositories', name: '', query: '' }],
    ['#/repositories/team/app', { view: 'repository', name: 'team/app', query: '' }],
    ['#/images/%E0%A4%A', { view: 'image', name: '%E0%A4%A', query: '' }],
  ])('%s says where one is', (hash, place) => {
    expect(placeOf(hash)).toEqual(place)
  })

  test.each([
    { view: 'images', name: '', query: 'search=what?&kind=iso' },
    { view: 'image', name: 'a?b#c/d', query: '' },
    { view: 'repository', name: 'team/app', query: '' },
    { view: 'storage', name: '', query: '' },
  ] as const)('leads back to %j', (place) => {
    expect(placeOf(hashOf(place))).toEqual(place)
  })
})
