import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Flaw, Refusal } from '../../../../src/errors.ts'
import { choosePlatform } from '../../../../src/source/registry/choose-platform.ts'
import { readDocument, type IndexDocument } from '../../../../src/source/registry/documents.ts'
import { parsePlatform, shownPlatform } from '../../../../src/source/registry/platform.ts'
import { fetched, flawOf, image, index, part } from './manifests.ts'

/** `linux/arm/v7` is an image, `index linux/arm64` an index; `image` and `index` are of no platform. */
function entry(text: string, nth: number) {
  const [first = '', second] = text.split(' ')
  const kind = first === 'index' ? index : image
  const named = second ?? (first.includes('/') ? first : undefined)
  const [os, architecture, variant] = named?.split('/') ?? []
  const platform = named === undefined ? {} : { platform: { os, architecture, variant } }
  return part(`${nth}`.padStart(9, '0'), kind, platform)
}

function indexOf(manifests: readonly object[]): IndexDocument {
  const document = readDocument(fetched({ schemaVersion: 2, manifests }, index))
  if (document.kind === 'index') return document
  throw new Error('an index was read as an image')
}

const chosen = (texts: readonly string[], wanted: string): number => {
  const manifests = texts.map(entry)
  const { digest } = choosePlatform(indexOf(manifests), parsePlatform(wanted))
  return manifests.findIndex((each) => each.digest === digest)
}

describe('a platform', () => {
  test.each([
    ['linux/amd64', 'linux/amd64'],
    ['Linux/AMD64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['linux/x86-64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['linux/riscv64', 'linux/riscv64'],
    ['linux/riscv64/rva20u64', 'linux/riscv64'],
    ['linux/mips64le/softfloat', 'linux/mips64le/softfloat'],
    ['macos/arm64', 'darwin/arm64'],
  ])('%s is %s', (text, expected) => {
    expect(shownPlatform(parsePlatform(text))).toBe(expected)
    expect(shownPlatform(parsePlatform(expected))).toBe(expected)
  })

  test.each([
    '',
    'linux',
    '/',
    'linux/',
    '/amd64',
    'linux/arm/v7/x',
    'linux /amd64',
    'a/b/',
    'a/ü',
  ])('is not "%s"', (text) => {
    expect(() => parsePlatform(text)).toThrow(Refusal)
    expect(() => parsePlatform(text)).toThrow(/is no platform; it looks like linux\/amd64/)
  })
})

describe('of an index', () => {
  test.each([
    ['the one of the platform', ['linux/arm64', 'linux/amd64'], 'linux/amd64', 1],
    [
      'the one of the platform under another name',
      ['linux/arm64', 'linux/x86_64'],
      'linux/amd64',
      1,
    ],
    ['the first of several', ['linux/arm64', 'linux/amd64', 'linux/amd64'], 'linux/amd64', 1],
    ['the one of this system', ['windows/amd64', 'linux/amd64'], 'linux/amd64', 1],
    ['the exact variant', ['linux/arm/v6', 'linux/arm/v7', 'linux/arm/v5'], 'linux/arm/v7', 1],
    ['the next older variant', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v8'], 'linux/arm/v7', 1],
    ['the one without a variant', ['linux/amd64', 'linux/amd64/v2'], 'linux/amd64', 0],
    [
      'the best that an amd64 of level 3 runs',
      ['linux/amd64', 'linux/amd64/v4', 'linux/amd64/v2'],
      'linux/amd64/v3',
      2,
    ],
    ['the plain one for an amd64 of level 3', ['linux/amd64'], 'linux/amd64/v3', 0],
    ['the plain one for an arm64 of version 9', ['linux/arm64/v8'], 'linux/arm64/v9', 0],
    ['the one of version 8 for 8.1', ['linux/arm64/v9', 'linux/arm64'], 'linux/arm64/v8.1', 1],
    ['an index of the platform', ['linux/arm64', 'index linux/amd64'], 'linux/amd64', 1],
    ['the only one, which says no platform', ['image'], 'linux/amd64', 0],
    ['the only one beside what a builder states', ['image', 'unknown/unknown'], 'linux/amd64', 0],
    ['the only index that says no platform', ['linux/arm64', 'image', 'index'], 'linux/amd64', 2],
    [
      'the one of the platform before one that says none',
      ['index', 'linux/amd64'],
      'linux/amd64',
      1,
    ],
  ])('is chosen %s', (_which, entries, wanted, expected) => {
    expect(chosen(entries, wanted)).toBe(expected)
  })

  test.each([
    [
      ['linux/riscv64', 'linux/arm64'],
      'the image has linux/arm64 and linux/riscv64, not linux/amd64',
    ],
    [['linux/arm64/v8', 'linux/arm64'], 'the image has linux/arm64, not linux/amd64'],
    [
      ['linux/s390x', 'linux/386', 'linux/arm'],
      'the image has linux/386, linux/arm/v7 and linux/s390x, not linux/amd64',
    ],
    [['linux/arm64', 'unknown/unknown'], 'the image has linux/arm64, not linux/amd64'],
    [['linux/amd64/v2', 'image'], 'the image has linux/amd64/v2, not linux/amd64'],
    [
      Array.from({ length: 12 }, (_, nth) => `linux/m${nth + 10}`),
      'the image has linux/m10, linux/m11, linux/m12, linux/m13, linux/m14, linux/m15, linux/m16, linux/m17, linux/m18, linux/m19 and 2 more, not linux/amd64',
    ],
    [
      ['image', 'image'],
      'the image is an index of 2 images that says no platform of any, so which one is linux/amd64 cannot be told; name one by its digest',
    ],
    [[], 'the image is an index that names no images'],
    [['unknown/unknown'], 'the image is an index that names no images'],
  ])('%j none is linux/amd64', (entries, message) => {
    expect(flawOf(() => chosen(entries, 'linux/amd64'))).toBe(message)
  })

  test('neither what a builder states of an image nor a blob is chosen', () => {
    const platform = { os: 'linux', architecture: 'amd64' }
    const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' }
    const stated = part('stated', image, { platform, annotations })
    const blob = part('blob', 'application/vnd.buildkit.cacheconfig.v0', { platform })
    const choice = () => choosePlatform(indexOf([stated, blob]), parsePlatform('linux/amd64'))
    expect(flawOf(choice)).toBe('the image is an index that names no images')
  })

  test('whatever is chosen is of the platform, and a refusal names none that fits', () => {
    const architectures = ['amd64', 'x86_64', 'arm64', 'aarch64', 'arm', 'riscv64']
    const platform = fc
      .tuple(
        fc.constantFrom('linux', 'windows'),
        fc.constantFrom(...architectures),
        fc.constantFrom('', '/v1', '/v2', '/v6', '/v7', '/v8', '/v9', '/v8.2', '/x'),
      )
      .map(([os, architecture, variant]) => `${os}/${architecture}${variant}`)
    fc.assert(
      fc.property(fc.array(platform), platform, (entries, wanted) => {
        const want = shownPlatform(parsePlatform(wanted))
        const there = entries.map((each) => shownPlatform(parsePlatform(each)))
        try {
          const found = there[chosen(entries, wanted)] ?? ''
          expect(found.split('/').slice(0, 2)).toEqual(want.split('/').slice(0, 2))
          if (there.includes(want)) expect(found).toBe(want)
        } catch (error) {
          if (!(error instanceof Flaw)) throw error
          expect(there).not.toContain(want)
        }
      }),
    )
  })
})
