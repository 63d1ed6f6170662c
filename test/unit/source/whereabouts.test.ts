import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../src/image/digest.ts'
import { versionAt, whereaboutsIn } from '../../../src/source/whereabouts.ts'

const place = { manifest: digestOf(Buffer.from('m')), blob: digestOf(Buffer.from('b')), at: 1536 }

describe('where a disk lies', () => {
  test.each([0, 1536, 2 ** 43])('is told by a version: at %d', (at) => {
    expect(whereaboutsIn(versionAt({ ...place, at }))).toEqual({ ...place, at })
  })

  test.each([
    '',
    '"etag"',
    place.manifest,
    `${place.manifest} ${place.blob}`,
    `${place.manifest} ${place.blob} -1`,
    `${place.manifest} ${place.blob} 1e3`,
    `${place.manifest} ${place.blob} 9999999999999999`,
    `x ${place.blob} 1536`,
  ])('is not told by any other: %j', (version) => {
    expect(whereaboutsIn(version)).toBeNull()
  })
})
